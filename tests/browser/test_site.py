"""The documentation's site in a browser, as `make docs` has built it."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.access import complaints
from playwright.sync_api import Page, expect

SITE = Path(__file__).parents[2] / "build" / "site"
PAGES = sorted(file.relative_to(SITE).as_posix() for file in SITE.rglob("*.html"))


pytestmark = pytest.mark.browser


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The site served: its search needs that."""
    handler = functools.partial(_Silent, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_there_is_a_site() -> None:
    assert "index.html" in PAGES, "first: make docs"
    assert len(PAGES) > 15


@pytest.mark.parametrize("name", [name for name in PAGES if name != "404.html"])
def test_a_page_is_whole(page: Page, address: str, name: str) -> None:
    """No complaint of the console, none of axe that is grave, nothing wider than the screen."""
    page.goto(address + name)
    expect(page.locator("h1").first).to_be_visible()
    broken = page.eval_on_selector_all("img", "all => all.filter(x => !x.naturalWidth).length")
    assert not broken
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert complaints(page) == []


def test_it_is_searched(page: Page, address: str) -> None:
    page.goto(address)
    if not page.locator(".md-search__input").is_visible():  # a phone's is behind a button
        page.locator("label[for=__search]").first.click()
    page.locator(".md-search__input").press_sequentially("habit")  # the page listens to its keys
    expect(page.locator(".md-search-result__item").first).to_be_visible()
