"""`prior: habit` in a config: whose habit it is, where it works, what is said elsewhere."""

from pathlib import Path

import jax
import numpy as np
import pytest
from lprl_envs import FrozenLake, InvalidInput
from small_experiment import fields

from lprl_jax.algorithms.tabular import habits
from lprl_jax.cli import demo
from lprl_jax.cli.main import main
from lprl_jax.experiments import build, config, evaluate, runner
from lprl_jax.priors import HabitPrior, TabularPrior

LAKE = FrozenLake("4x4", is_slippery=False)


def prior_of(**changes):
    experiment = config.parse(fields(prior="habit", **changes))
    made = build.make_env(experiment.config.env, experiment.env_arguments, experiment.bank)
    return build.make_prior(experiment, *made)


def test_it_is_fitted_on_other_instances_than_it_is_asked_about():
    params = LAKE.sample_params(jax.random.key(habits.SEED), habits.INSTANCES, "train")
    expected = habits.fitted(LAKE, params)
    for split in ("held-out", "train"):
        found = prior_of(env_params={"split": split})
        assert isinstance(found, HabitPrior)
        np.testing.assert_array_equal(found.log_weights, expected.log_weights)


def test_families_that_are_held_out_teach_no_habit(monkeypatch):
    asked = []
    habits.of_training.cache_clear()
    monkeypatch.setattr(
        habits,
        "_fitted",
        lambda env, params, name: asked.append(np.unique(params.bank.family).tolist()),
    )
    for families in (("size", "periodic"), ("periodic",)):
        own = {"num_cubes": 4, "families": list(families), "num_instances": 2}
        given = {"env": "CubeStacking-lprl", "env_params": own, "prior": "habit"}
        experiment = config.parse(given)
        env, params = build.make_env("CubeStacking-lprl", experiment.env_arguments, experiment.bank)
        build.named_prior("habit", env, params, bank=experiment.bank)
    habits.of_training.cache_clear()
    assert asked == [[env.families.index("size")], [0, 1, 2, 3]]


def test_it_is_degraded_like_any_prior():
    degraded = prior_of(prior_epsilon=0.5, prior_adversarial=True)
    assert degraded is not None
    assert degraded.name == "habit (adversarial, ε = 0.5)"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    runner.run(config.parse(fields(prior="habit", k=2)), folder, progress=False)
    return folder


def test_it_trains_and_is_evaluated_and_asks_nobody(trained: Path, capsys) -> None:
    assert main(["eval", str(trained), "--prior", "habit,uniform", "eval_episodes=2"]) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split("|")[1].strip() for line in lines] == [
        "habit",
        "habit",
        "uniform",
        "uniform",
    ]
    rows = evaluate.run(trained)
    assert {(row.prior, row.queries) for row in rows} == {("habit", 0)}


def test_a_directory_of_its_name_is_not_looked_at(trained: Path, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "habit").mkdir()
    assert {row.prior for row in evaluate.run(trained, priors=["habit"])} == {"habit"}


def test_a_table_of_it_is_a_table(tmp_path: Path) -> None:
    where = ["map_name=4x4", "is_slippery=false", "num_instances=2", "split=held-out"]
    file = str(tmp_path / "habit.npz")
    assert main(["prior", "FrozenLake-lprl", *where, "--model", "habit", "-o", file]) == 0
    params = LAKE.sample_params(jax.random.key(0), 2, "held-out")
    table = TabularPrior.load(file, LAKE, params)
    own = habits.of_training(LAKE)
    assert (table.name, table.evaluations, table.settings) == ("habit", 0, own.settings)
    start = int(params.bank.starts[1, 0])
    np.testing.assert_allclose(table.table[1, start], own.log_weights, rtol=1e-5)


def test_a_search_proposes_by_it(capsys) -> None:
    rule = ["blocks_world_slinvit", "prior=habit", "num_runs=1", "depth=1", "k=1"]
    small = [
        "env_params.instances=[{init: [cb, a], goal: [ab]}]",
        "env_params.suite=''",
        "budget=4",
    ]
    assert main(["plan", *rule, *small, "env_params.num_blocks=3"]) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("| habit | 1 | 1 |")


@pytest.mark.parametrize(
    ("env", "own", "words"),
    [
        ("ImageCompletion-lprl", {}, "too many states to number"),
        (
            "FrozenLake-lprl",
            {"map_name": "2x2"},
            "a habit is fitted on training instances: maps of 2x2 are too few to split",
        ),
    ],
)
def test_where_there_is_no_habit_one_line_says_so(env, own, words):
    experiment = config.parse({"env": env, "env_params": own, "prior": "habit"})
    made = build.make_env(env, experiment.env_arguments, experiment.bank)
    with pytest.raises(InvalidInput, match=words) as error:
        build.make_prior(experiment, *made)
    assert "\n" not in str(error.value)


def test_every_demo_has_it_for_as_many_steps_as_the_baselines():
    for world in demo.WORLDS:
        plain, controls = (demo.experiments(world, flag) for flag in (False, True))
        assert [*plain] == ["DQN", "DQN, optimistic", "DQN-Prior", "DQN-Prior, habit"]
        assert [*controls][3] == "DQN-Prior, habit"
        assert len(controls) == 8
        (file, overrides), dqn = (
            plain["DQN-Prior, habit"],
            config.read(f"{demo.WORLDS[world].configs}_dqn").config,
        )
        own = config.read(file, overrides).config
        assert (own.prior, own.total_steps) == ("habit", dqn.total_steps)
