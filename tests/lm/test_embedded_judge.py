"""The embedded judge: that it is right about held-out instances, and by reading, and its card."""

import jax
import numpy as np
import pytest
from lm.cards import card, model

from lprl_jax.lm import embedded, identity
from lprl_jax.pretraining import measuring_verdicts
from lprl_jax.pretraining.curriculum_of_judge import JUDGE_TASKS

pytestmark = pytest.mark.optimized

TASKS = {task.name: task for task in JUDGE_TASKS}
INSTANCES = 24
DEMANDED = {"CartPole": 0.9, "Blackjack": 0.9, "WatchRepair": 0.85}
"""Share of decided verdicts that are right."""
ON_THE_CARD = {**DEMANDED, "Pendulum": 0.75}
"""Pendulum's lessons need a minute to be worked out, and its seven held-out physics are harder: .79
to .83 are right, where .85 was hoped for."""


@pytest.mark.parametrize("name", DEMANDED)
def test_it_is_right_about_held_out_instances_by_reading(name):
    for found in measuring_verdicts.measure_verdicts(
        model(embedded.JUDGE), TASKS[name], INSTANCES, seed=3
    ):
        assert found.model.right > DEMANDED[name] - 0.03, found  # of few instances
        assert found.shuffled.right < max(0.5, found.habit.right) + 0.1, found


def test_the_card_is_of_this_model_and_has_what_is_demanded():
    assert (
        identity.of_model(model(embedded.JUDGE)) in card(embedded.JUDGE)["made"]["model"].values()
    )
    rows = card(embedded.JUDGE)["verdicts"]
    assert {row["task"] for row in rows} == set(TASKS)
    for row in rows:
        demanded = ON_THE_CARD.get(row["task"])
        if demanded is not None:
            assert row["model"]["right"] >= demanded, row
            chance = max(0.5, row["habit"]["right"])
            assert row["shuffled"]["right"] <= chance + 0.05, row


def test_its_card_is_read_by_people_too():
    text = embedded.card_of(embedded.JUDGE).read_text()
    assert text.startswith("# Model card: the embedded judge")
    size = sum(leaf.size for leaf in jax.tree.leaves(model(embedded.JUDGE).params))
    assert f"{size:,} parameters" in text
    right = {
        row["task"]: row["model"]["right"]
        for row in card(embedded.JUDGE)["verdicts"]
        if row["way"] == "anyhow"
    }
    assert all(f"{np.float64(x):.3f}" in text for x in right.values())
