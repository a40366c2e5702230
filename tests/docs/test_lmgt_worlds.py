"""The program of LMGT's worlds: that all it trains can be trained, and what a habit says."""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lprl_jax.experiments import build, config
from lprl_jax.judges import TabularJudge
from lprl_jax.pretraining import measuring_verdicts

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "experiments"))
worlds: Any = importlib.import_module("lmgt_worlds")
learners: Any = importlib.import_module("lmgt_learners")
pages: Any = importlib.import_module("lmgt_pages")
LEARNERS = [(name, learner) for name, own in learners.WORLDS.items() for learner in own.learners]


@pytest.mark.parametrize(("name", "learner"), LEARNERS)
def test_every_row_is_a_config(name: str, learner: str) -> None:
    own = learners.WORLDS[name]
    fields = {**own.fields, **own.learners[learner]}
    cadence = set()
    for title, more in learners.JUDGES.items():
        texts = [
            text.replace(learners.HABIT, "habit.npz").replace(learners.HALF, "1") for text in more
        ]
        row = config.parse(config.override(fields, texts)).config
        assert (row.judge == "none") == (title == learners.NO_JUDGE)
        cadence.add((row.eval_every, row.eval_episodes, row.total_steps))
    assert len(cadence) == 1


@pytest.mark.parametrize("name", learners.HAVE_A_PRIOR)
def test_every_prior_is_a_config(name: str) -> None:
    of_learners, priors, how = learners.HAVE_A_PRIOR[name]
    for learner in of_learners:
        for prior in priors:
            fields = {**worlds._fields(name, learner), "prior": prior, "alpha": [*learners.ALPHAS]}
            experiment = config.parse(config.override(fields, how))
            assert [setting["alpha"] for setting in experiment.settings] == [*learners.ALPHAS]
            assert experiment.config.judge == "none"


@pytest.mark.parametrize(
    ("name", "learner"), [(name, x) for name, own in worlds.SCALED.items() for x in own]
)
def test_every_scale_is_a_config(name: str, learner: str) -> None:
    for scale in learners.SCALES:
        texts = [*learners.IN_WORDS, f"shift_scale={scale}"]
        experiment = config.parse(config.override(worlds._fields(name, learner), texts))
        assert experiment.algorithm.shift_scale == scale


def test_the_habit_says_nothing_where_there_is_no_choice(tmp_path: Any, monkeypatch: Any) -> None:
    own = learners.WORLDS["watch"]
    fields = {**own.fields, "env_params": {"num_instances": 2, "split": "held-out"}}
    own = own._replace(fields=fields)
    monkeypatch.setattr(measuring_verdicts, "habit_of", lambda task: np.array([1.0, -1.0]))
    worlds._habit(own, tmp_path / "habit.npz")
    experiment = learners.experiment_of(own)
    env, params = build.make_env("WatchRepair-lprl", experiment.env_arguments, experiment.bank)
    table = np.asarray(TabularJudge.load(tmp_path / "habit.npz", env, params).params.verdicts)
    np.testing.assert_array_equal(table[:, :4], np.broadcast_to([1.0, -1.0], (2, 4, 2)))
    assert not table[:, 4:].any()  # on its way a watch can only be left


SAVED = [
    # Steps without a judge and with one; saved in the median; by the ends of the intervals.
    ("2,560 [2,048, 2,560], 29/32", "1,536 [1,536, 2,048], 32/32", "40 %", "–"),
    ("> 25,600 [17,920, > 25,600], 14/32", "7,680 [7,680, 10,240], 28/32", "at least 70 %", "43 %"),
    ("> 10,000, 0/32", "2,000 [1,000, 4,000], 32/32", "at least 80 %", "60 %"),
    ("> 10,000, 0/32", "8,000 [7,000, > 10,000], 20/32", "at least 20 %", "–"),
    ("> 4,000, 1/32", "4,000 [4,000, 4,000], 28/32", "some", "–"),
    ("1,500, 29/32", "2,000 [1,500, 2,000], 32/32", "none", "–"),
    ("1,500, 29/32", "> 2,000, 3/32", "none", "–"),
    ("> 2,000, 1/32", "> 2,000, 3/32", "–", "–"),
    ("0, 32/32", "0, 32/32", "none", "–"),
]


@pytest.mark.parametrize(("without", "own", "saved", "surely"), SAVED)
def test_what_is_saved_of_the_steps(without: str, own: str, saved: str, surely: str) -> None:
    assert pages.saved(without, own) == saved
    assert pages.surely_saved(without, own) == surely


def test_pages_show_what_was_measured() -> None:
    row = {"steps": "2,000 [1,000, 3,000], 32/32", "half": [9.0, 8.0, 11.0], "end": [0.5, 0.4, 0.6]}
    row |= {"queries": 1234}
    none = {**row, "steps": "4,000 [3,500, 5,000], 30/32"}
    judged = {"no judge": none, "embedded judge": row, "perfect": row}
    figures = {
        "cartpole": {"PPO": judged},
        "alone": {
            "cartpole": {"embedded judge": [500.0, 400.0, 500.0], "chance": [22.0, 9.0, 23.0]}
        },
        "priors": {"KL-PPO, habit (rooms)": {f"{a:g}": row for a in learners.ALPHAS}},
    }
    tables, numbers = pages.tables(figures), pages.numbers(figures)
    shares = "| 50 % | 14 % | 50 % | 14 % |"
    assert (
        f"| cart pole | PPO | {none['steps']} | {row['steps']} {shares}" in tables["worlds_saved"]
    )
    assert "| cart pole | 500 [400, 500] | 22 [9, 23] |" in tables["worlds_alone"]
    assert tables["worlds_priors"].count(row["steps"]) == len(learners.ALPHAS)
    assert numbers["alone.cartpole.embedded-judge"] == "500 [400, 500]"
    assert numbers["cartpole.ppo.embedded-judge.half"] == "9 [8, 11]"
    assert numbers["cartpole.ppo.embedded-judge.end"] == ".50 [.40, .60]"
    assert numbers["priors.kl-ppo-habit-rooms.0.1.steps.runs"] == "32"
