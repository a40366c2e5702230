// What the theme leaves out for those who use a keyboard or a screen reader: a name for the search,
// and a way to scroll what is wider than the screen. The theme puts such boxes in while a page loads.
"use strict";

function mend() {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])"))
    box.setAttribute("tabindex", "0");
}

mend();
new MutationObserver(mend).observe(document.body, { childList: true, subtree: true });
