"""The demo's and the card's figures, and that the README can be written from them."""

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lprl_jax.results.reading import Result

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
figures: Any = importlib.import_module("figures")
demo: Any = importlib.import_module("demo")
card: Any = importlib.import_module("card")

SCORES = {"top1": 0.96, "covered": 0.9, "kl": 0.3}


def result(reached_at: int) -> Result:
    """Twelve runs that are solved from a step on, of 2,000; shown two evaluations later."""
    steps = np.arange(0, 2_001, 100)
    success = np.tile((steps >= reached_at).astype(float), (12, 1))
    return Result(steps, success, success, 12 * steps, 0 * steps + 7, steps * 1.0, 0.0, 0.0)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Of all parts; everything takes 100 steps, DQN 1,000, and a uniform prior more."""
    own = {name: result(100) for name in (*demo.demo.EXPERIMENTS, *demo.demo.CONTROLS)}
    own |= {"DQN": result(1_000), "DQN-Prior, uniform": result(9_999)}
    longer, plain = result(500), demo.demo.EXPERIMENTS
    asked: list[Any] = []

    def play(out: Path, world: str, controls: bool, slippery: bool) -> dict[str, Result]:
        asked.append((world, controls, slippery))
        return {n: r for n, r in own.items() if controls or n in plain}

    def evaluated(run: Path, overrides: Any, priors: Any, ks: Any) -> list[Any]:
        assert (run, overrides) == (tmp_path / "dqn-prior", ["eval_episodes=32"])
        return [
            SimpleNamespace(prior=p, k=k, policy=policy, success=np.full(4, 0.5))
            for p in priors for k in ks for policy in ("posterior", "greedy")
        ]  # fmt: skip

    monkeypatch.setattr(demo.demo, "run", play)
    monkeypatch.setattr(demo.evaluate, "run", evaluated)
    monkeypatch.setattr(demo.runner, "run", lambda experiment, *_, **__: experiment)
    monkeypatch.setattr(demo.reading, "read", lambda experiment: longer)
    found = {p: demo.measure(p, tmp_path) for p in (*demo.demo.WORLDS, demo.SLIPPERY)}
    assert asked[-1] == ("frozen_lake", False, True)
    assert all(controls and not slippery for _, controls, slippery in asked[:-1])
    return json.loads(json.dumps(found))


def a_card() -> dict[str, Any]:
    ends = {"estimate": 0.5, "low": 0.4, "high": 0.6}
    actions = [
        {
            "task": task,
            "population": population,
            **dict.fromkeys(card.KINDS, SCORES),
            "success": dict.fromkeys(("drawn", "greedy", "habit", "uniform"), ends),
            "ladder": {"early-1": 0.6},
        }
        for task in card.SHOWN
        for population in ("random goals", "corner to corner", "start and goal anywhere")
    ]
    taught = [{"task": task, "texts": 200, "taught_texts": 50} for task in card.SHOWN]
    whole = [
        {"task": f"{task}, whole", "shown": [1, 1], "accepted": [0.1, 0.758], "malformed": 0.0}
        for task in card.SHOWN
    ]
    return {"parameters": 1_037_440, "settings": {"num_steps": 800}, "actions": actions,
            "completions": whole, "taught": taught}  # fmt: skip


def test_the_demos_factors_are_of_medians(measured: dict[str, Any]) -> None:
    numbers = demo.numbers(measured)
    assert numbers["frozen_lake.dqn.steps"] == "1,200"
    assert numbers["frozen_lake.dqn.times"] == "4"
    assert numbers["frozen_lake.dqn-prior-uniform.times"] == "more than 6"
    assert numbers["frozen_lake.dqn-prior-uniform.steps.runs"] == "0"
    assert numbers["frozen_lake.dqn-prior.untrained"] == "0 %"
    assert numbers["frozen_lake.dqn-prior.better.interval"] == "1.00 [.74, 1.00]"
    assert numbers["frozen_lake.dqn-prior.than_habit"] == ".50"
    assert numbers["frozen_lake.evaluated.uniform.exact.greedy"] == ".50"
    assert numbers["slippery.dqn-prior.steps"] == "700"
    assert (
        "| 2,000 | 100 | 1.00 [1.00, 1.00] | 300 [300, 300], 12/12 |"
        in (demo.tables(measured)["demo_frozen_lake"])
    )


def test_the_cards_figures_are_named_by_task_and_population() -> None:
    numbers = card.numbers(a_card())
    lake = "FrozenLake-8x8-firm.start-and-goal-anywhere"
    assert numbers[f"{lake}.model.top1"] == numbers[f"{lake}.habit.top1"] == "96.0 %"
    assert numbers[f"{lake}.success.drawn.interval"] == "50 % [40 %, 60 %]"
    assert numbers["BlocksWorld-5.random-goals.success.greedy"] == "50 %"
    assert numbers["CubeStacking-11-whole.accepted.most"] == "76 %"
    assert numbers["ObjectArrangement-5x5.taught"] == "25 %"


def test_the_readme_can_be_written_once_they_are_measured(measured: dict[str, Any]) -> None:
    known = figures.read()
    numbers, tables = dict(known.numbers), dict(known.tables)
    for name, module, found in (("demo", demo, measured), ("card", card, a_card())):
        numbers |= {f"{name}.{at}": value for at, value in module.numbers(found).items()}
        tables |= module.tables(found)
    known = figures.Known(known.experiments | {"demo", "card"}, numbers, tables)
    page = figures.written_page("README.md", figures.PAGES["README.md"], known)
    assert "{{" not in page
    assert "until then" not in page
