"""The embedded model of a kitchen and a household: that it is right by reading, and its card."""

import jax
import pytest
from lm.cards import card, model

from lprl_jax.lm import embedded, identity
from lprl_jax.pretraining import measuring
from lprl_jax.pretraining.curriculum_of_home import HOME_TASKS

pytestmark = pytest.mark.optimized

TASKS = {task.name: task for task in HOME_TASKS}
ROOM = "Household kitchen-small"
DEMANDED = {"pick": 0.75, "clean": 0.75}
"""Share of states in which the most likely action is right."""
SOLVED = 0.5
"""Share of episodes that its actions solve, drawn, in 50 steps."""
INSTANCES = 24


def test_it_is_right_in_held_out_kitchens_by_reading():
    task = TASKS["Overcooked salad"]
    found = measuring.measure_actions(
        {"home": model(embedded.HOME)}, task, task.measured[0], INSTANCES, seed=3
    )
    assert found.model.top1 > 0.8
    assert found.shuffled.top1 < found.model.top1 / 2
    assert found.habit.top1 < found.model.top1 - 0.2


def test_the_card_is_of_this_model_and_has_what_is_demanded():
    assert identity.of_model(model(embedded.HOME)) in card(embedded.HOME)["made"]["model"].values()
    rows = {(row["task"], row["population"]): row for row in card(embedded.HOME)["actions"]}
    assert {task for task, _ in rows} == set(TASKS)
    assert {row["task"] for row in card(embedded.HOME)["taught"]} == set(TASKS)
    for name, demanded in DEMANDED.items():
        row = rows[ROOM, name]
        assert row["model"]["top1"] >= demanded
        assert row["success"]["drawn"]["estimate"] >= SOLVED
        assert row["uniform"]["top1"] < row["habit"]["top1"] < row["model"]["top1"] - 0.2
        assert row["success"]["habit"]["estimate"] < 0.2


def test_its_card_is_read_by_people_too():
    text = embedded.card_of(embedded.HOME).read_text()
    assert text.startswith("# Model card: the embedded model of a kitchen and a household")
    assert (
        f"{sum(leaf.size for leaf in jax.tree.leaves(model(embedded.HOME).params)):,} parameters"
        in text
    )
