"""The program of LMGT's worlds: that all it trains can be trained, and what a habit says."""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lprl_jax.experiments import config
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


def test_the_habit_says_nothing_where_there_is_no_choice(tmp_path: Any, monkeypatch: Any) -> None:
    own = learners.WORLDS["watch"]
    fields = {**own.fields, "env_params": {"num_instances": 2, "split": "held-out"}}
    own = own._replace(fields=fields)
    monkeypatch.setattr(measuring_verdicts, "habit_of", lambda task: np.array([1.0, -1.0]))
    worlds._write_habit(own, tmp_path / "habit.npz")
    env, params = learners.made(own)
    table = np.asarray(TabularJudge.load(tmp_path / "habit.npz", env, params).params.verdicts)
    np.testing.assert_array_equal(table[:, :4], np.broadcast_to([1.0, -1.0], (2, 4, 2)))
    assert not table[:, 4:].any()  # on its way a watch can only be left


@pytest.mark.parametrize(
    ("without", "own", "right"),
    [
        ("2,560 [2,048, 2,560], 29/32", "1,536 [1,536, 2,048], 32/32", "40 %"),
        ("> 25,600 [17,920, > 25,600], 14/32", "7,680, 28/32", "at least 70 %"),
        ("> 4,000, 1/32", "4,000 [4,000, 4,000], 28/32", "some"),
        ("1,500, 29/32", "2,000 [1,500, 2,000], 32/32", "none"),
        ("1,500, 29/32", "> 2,000, 3/32", "none"),
        ("> 2,000, 1/32", "> 2,000, 3/32", "–"),
    ],
)
def test_what_is_saved_of_the_steps(without: str, own: str, right: str) -> None:
    assert pages.saved(without, own) == right
