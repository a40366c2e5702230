"""The report page: whole in itself, well formed, and with everything on it."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lprl_envs import InvalidInput
from results.test_reading import FAST, SLOW, write

from lprl_jax.results import report

VOID = {"meta", "img", "br", "input"}
LOADS = "src", "href", "xlink:href"


class Balance(HTMLParser):
    """Tags that are open; what a page loads; its text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in LOADS]

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
    """Tags close, nothing is fetched, and the page itself forbids it."""
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert parser.loaded
    assert all(place.startswith("#") for place in parser.loaded)
    assert not re.findall(r"url\((?!#)", page)
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert f'content="{policy}; script-src' in page


def test_every_name_in_the_page_is_its_own(page: str) -> None:
    names = re.findall(r'\bid="([^"]*)"', page)
    assert len(names) == len(set(names)) > 20
    used = set(re.findall(r'(?:href="|url\()#([^")]*)', page))
    assert used <= set(names)


def data_of(page: str) -> dict[str, Any]:
    return json.loads(re.findall(r'id="data">(.*?)</script>', page, re.DOTALL)[0])


def test_curves_say_what_they_are(page: str) -> None:
    """By hand: SLOW's runs at step 200 have .5, .5, .5 and 1, the middle half's mean is .5."""
    curves = data_of(page)["charts"]["by-steps"]
    slow = curves[data_of(page)["results"].index("a <b>")]
    assert slow["step"] == [0, 100, 200, 300, 400, 500]
    assert slow["middle"] == [0, 0, 0.5, 1, 1, 1]
    assert slow["low"][2] <= 0.5 <= slow["high"][2]
    assert all(a < b for a, b in pairwise(slow["x"]))
    rising = [y for step, y in zip(slow["step"], slow["y"], strict=True) if step in (0, 200, 300)]
    assert rising == sorted(rising, reverse=True)  # a page counts from above
    assert rising[0] - rising[1] == pytest.approx(rising[1] - rising[2], abs=0.05)


def test_what_runs_differ_in_can_be_chosen(tmp_path: Path) -> None:
    write(tmp_path / "slow", SLOW, [{"alpha": 0.1}, {"alpha": 1.0}], seed=1)
    write(tmp_path / "fast", FAST, seed=2)
    data = data_of(report.render([tmp_path]))
    assert data["fields"] == {"seed": ["2", "1"], "alpha": ["–", "0.1", "1.0"]}
    assert data["settings"]["slow (alpha 1)"] == {"seed": "1", "alpha": "1.0"}
    assert data["settings"]["fast"] == {"seed": "2", "alpha": "–"}


def test_what_cannot_be_played_is_said(page: str, tmp_path: Path) -> None:
    assert "<h2>Episodes</h2>" not in page  # none was asked for
    shown = report.render([tmp_path / "fast"], episodes=1)
    assert data_of(shown)["episodes"] == []
    assert "No episode of fast: " in shown


def test_episodes_are_no_fewer_than_none(page: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"episodes is -1; it must be 0 or more"):
        report.render([tmp_path / "fast"], episodes=-1)


def test_the_page_holds_figures_settings_versions_and_commands(page: str) -> None:
    parser = Balance()
    parser.feed(page)
    for words in ("400, 3/4", "FrozenLake-lprl", "lprl train x", "a <b>", "jax"):
        assert words in parser.words
    assert "a <b>" not in page  # escaped, in the script's data as well


def test_equal_runs_give_equal_pages(tmp_path: Path) -> None:
    write(tmp_path / "fast", FAST)
    assert report.render([tmp_path]) == report.render([tmp_path])


def test_no_run_no_page(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no run"):
        report.render([tmp_path])
