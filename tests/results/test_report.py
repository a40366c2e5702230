"""The report page: whole in itself, well formed, and with everything on it."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from lprl_envs import InvalidInput
from results.test_reading import FAST, SLOW, write

from lprl_jax.results import report

VOID = {"meta", "img", "br"}


class Balance(HTMLParser):
    """Tags that are open; what a page loads; its text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.images += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def page(tmp_path: Path) -> str:
    write(tmp_path / "a <b>", SLOW)
    write(tmp_path / "fast", FAST)
    return report.render([tmp_path])


def test_the_page_is_well_formed_and_loads_nothing(page: str) -> None:
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert len(parser.images) == 2
    for image in parser.images:
        assert image.startswith("data:image/svg+xml;base64,")
        svg = base64.b64decode(image.partition(",")[2]).decode()
        assert svg.rstrip().endswith("</svg>")
        assert not re.findall(r'(?:href|src)="(?!#)', svg)
    assert "<script" not in page


def test_the_page_holds_figures_settings_versions_and_commands(page: str) -> None:
    parser = Balance()
    parser.feed(page)
    for words in ("400, 3/4", "FrozenLake-lprl", "lprl train x", "a <b>", "jax"):
        assert words in parser.words
    assert "a <b>" not in page  # escaped


def test_equal_runs_give_equal_pages(tmp_path: Path) -> None:
    write(tmp_path / "fast", FAST)
    assert report.render([tmp_path]) == report.render([tmp_path])


def test_no_run_no_page(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no run"):
        report.render([tmp_path])
