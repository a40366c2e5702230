"""Whether a page can be used by everybody: axe's findings that matter."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = "serious", "critical"


def complaints(page: Page) -> list[str]:
    """What axe finds that is serious or worse, a line each."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]
