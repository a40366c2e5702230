"""The report page: whole in itself, well formed, and with everything on it."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lprl_envs import InvalidInput
from results.test_reading import FAST, SLOW, write
from small_experiment import fields

from lprl_jax.experiments import config, runner
from lprl_jax.results import replays, report, watching
from lprl_jax.results.run import Run

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


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained sweep of two settings, two runs of each."""
    folder = tmp_path_factory.mktemp("trained") / "sweep"
    runner.run(config.parse(fields(alpha=[0.1, 1.0], num_runs=2)), folder, progress=False)
    return folder


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
    assert slow["low"] == slow["high"] == [None] * 6  # four runs have no interval
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


@pytest.mark.parametrize("episodes", [-1, 21])
def test_episodes_are_some_or_none(page: str, tmp_path: Path, episodes: int) -> None:
    with pytest.raises(InvalidInput, match=rf"episodes is {episodes}; it must lie in 0 to 20"):
        report.render([tmp_path / "fast"], episodes=episodes)


def test_episodes_are_those_of_each_settings_first_run(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "MOST_STEPS", 2)
    data = data_of(report.render([sweep], episodes=2))
    played = data["episodes"]
    assert [(one["result"], one["run"]) for one in played] == [
        *[("sweep (alpha 0.1)", 0)] * 2,
        *[("sweep (alpha 1)", 2)] * 2,
    ]
    run = Run(sweep)
    for one in played:
        seed = played.index(one) % 2
        own = run.state.run_instances[one["run"]]
        again = watching.play(run, one["run"], int(own[seed % len(own)]), seed)
        assert one["length"] == len(again.steps) - 1
        assert [step["text"] for step in one["steps"]] == [x.text for x in again.steps[:2]]
        assert one["steps"][0]["taken"] == again.steps[0].action
        pictures = [replays.as_data(x.picture) for x in again.steps[:2]]
        assert [data["pictures"][step["picture"]] for step in one["steps"]] == pictures
    assert len(set(data["pictures"])) == len(data["pictures"])


def test_what_keeps_one_run_from_playing_costs_its_episode_alone(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "MOST_RESULTS", 1)

    def play(*_: Any) -> None:
        raise ModuleNotFoundError("No module named 'theirs'")

    monkeypatch.setattr(watching, "play", play)
    page = report.render([sweep], episodes=1)
    assert "No episode of sweep (alpha 0.1): ModuleNotFoundError: No module named" in page
    assert "Episodes are of the first 1 results; 1 more have none." in page


def test_what_is_no_number_is_null(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = watching.play
    worst = {"reward": float("-inf"), "prior": np.full(4, np.nan)}

    def play(*where: Any) -> watching.Episode:
        episode = own(*where)
        steps = [dataclasses.replace(step, **worst) for step in episode.steps]
        return dataclasses.replace(episode, steps=steps)

    monkeypatch.setattr(watching, "play", play)
    one = data_of(report.render([sweep], episodes=1))["episodes"][0]
    assert one["total"] is None
    assert one["steps"][0]["reward"] is None


def test_runs_of_one_name_are_both_there(tmp_path: Path) -> None:
    write(tmp_path / "a" / "k3", SLOW, seed=1)
    write(tmp_path / "b" / "k3", FAST, seed=2)
    page = report.render([tmp_path / "a" / "k3", tmp_path / "b" / "k3"])
    assert "<title>k3, b/k3: FrozenLake-lprl</title>" in page
    assert data_of(page)["fields"] == {"seed": ["1", "2"]}


def test_a_name_is_no_markup_anywhere(tmp_path: Path) -> None:
    write(tmp_path / "<img src=x>", SLOW[:2])  # too few evaluations, of which a note tells
    write(tmp_path / "$x$", FAST)
    page = report.render([tmp_path])
    assert "&lt;img src=x&gt;" in page
    assert "<img src=x>" not in page


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
