"""The experiments of the papers' own worlds: rows are alike, and parts that lack are told of."""

import dataclasses
import importlib
import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "experiments"))
home: Any = importlib.import_module("home")
learners: Any = importlib.import_module("home_learners")
home_search: Any = importlib.import_module("home_search")
offline_home: Any = importlib.import_module("offline_home")
written: Any = importlib.import_module("written")
build: Any = importlib.import_module("lprl_jax.experiments.build")
config: Any = importlib.import_module("lprl_jax.experiments.config")
reading: Any = importlib.import_module("lprl_jax.results.reading")


@pytest.mark.parametrize("world", learners.WORLDS)
def test_every_row_of_a_world_is_alike_but_for_its_learner(world: str) -> None:
    every = learners.WORLDS[world].every
    banks, cadences = set(), set()
    for row in home.of_world(world, learners.ROWS).values():
        plan = learners.SEARCHES[row.search]
        found = home.read(world, plan.config, (*plan.common, *row.own), "held-out", learners.RUNS)
        assert every % found.algorithm.steps_per_update == 0
        banks.add(found.bank)
        chosen = found.config
        cadences.add((chosen.total_steps, chosen.eval_every, chosen.eval_episodes, chosen.num_runs))
    (bank,), (cadence,) = banks, cadences
    assert (bank.split, bank.num_instances) == ("held-out", learners.RUNS)
    assert cadence == (learners.WORLDS[world].steps, every, learners.EPISODES, learners.RUNS)


@pytest.mark.parametrize("task", home_search.TASKS)
def test_every_proposer_searches_the_same_rooms(task: str) -> None:
    depth, k = home_search.PAPER
    found = {
        name: home_search.read(task, who, depth, k) for name, who in home_search.PROPOSERS.items()
    }
    (bank,) = {experiment.bank for experiment in found.values()}
    assert (bank.split, bank.num_instances) == ("held-out", home_search.ROOMS)
    assert bank.families == (task,)
    for name, experiment in found.items():
        search, runs = experiment.algorithm, experiment.config.num_runs
        assert (search.depth, search.k, search.value, runs) == (depth, k, "heuristic", 1)
        assert (search.budget, search.execute) == ("time_limit", "first")
        has_weight = "heuristic" not in name and "α = 0" not in name
        assert search.alpha == (0.1 if has_weight else 0.0)
        own = (
            experiment.config.env,
            experiment.env_arguments,
            dataclasses.replace(bank, num_instances=1),
        )
        limit = build.make_env(*own)[1].max_steps_in_episode
        assert limit == home_search.LIMITS["errands" if "errands" in name else "actions"]


@pytest.mark.parametrize(("world", "configs"), [("salad", "overcooked"), ("pick", "household")])
@pytest.mark.parametrize("name", ["DQN", "PPO", "DQN-Prior", "KL-PPO"])
def test_configs_have_the_settings_that_were_found(world: str, configs: str, name: str) -> None:
    best = written.read(home.OUT)[home.SEARCH + world][name][0]["setting"]
    own = vars(config.read(f"{configs}_{learners.SEARCHES[name].config}", []).algorithm)
    for field, value in (setting.split("=") for setting in best.split()):
        assert own[field] == float(value)


@pytest.mark.parametrize("name", learners.SEARCHES)
def test_settings_are_sought_on_training_instances_nine_or_more_a_learner(name: str) -> None:
    plan = learners.SEARCHES[name]
    fields = (*plan.common, *plan.swept)
    found = home.read("salad", plan.config, fields, "train", learners.INSTANCES)
    assert found.bank.split == "train"
    assert len(found.settings) == {"DQN": 16, learners.TABLE: 16, "PPO": 12}.get(name, 9)


def test_a_row_needs_its_settings_and_says_which_part_finds_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(home, "OUT", tmp_path / "home.json")
    monkeypatch.setattr(sys, "argv", ["home.py", "pick"])
    with pytest.raises(SystemExit) as ended:
        home.main()
    assert ended.value.code == 2
    assert "first: python docs/experiments/home.py search-pick\n" in capsys.readouterr().err


def test_a_run_is_first_there_when_three_evaluations_are() -> None:
    success = np.array([[0, 1, 1, 1, 0, 0, 0], [0, 0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 1, 1, 1]])
    steps = np.arange(7) * 100
    result = reading.Result(steps, success, success, steps, steps, steps, 0.0, 0.0)
    assert f"{home.first_reached(result)}" == "600, 2/3"


@pytest.mark.parametrize("module", [home, home_search, offline_home])
def test_pages_can_be_written_when_a_part_is_measured(module: Any) -> None:
    """Of what is measured by now, any parts: each of them may be measured before the others."""
    figures = written.read(module.OUT)
    for num in range(1, len(figures) + 1):
        for some in itertools.combinations(sorted(figures), num):
            own = {name: figures[name] for name in some}
            quoted = module.numbers(own)
            for part in some:
                world, what = part.removeprefix(home.SEARCH), "tried." if "-" in part else "dqn."
                own_key = f"{world}.{what}" if module is home else f"{world}."
                assert any(name.startswith(own_key) for name in quoted)
            module.tables(own)
