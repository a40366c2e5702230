"""Worked examples: what they show is right, of training instances, and as they are asked for."""

import collections
import re
from typing import Any

import jax
import numpy as np
import pytest
from lprl_envs import (
    BlocksWorld,
    CubeStacking,
    FrozenLake,
    ImageCompletion,
    InvalidInput,
    ObjectArrangement,
)

from lprl_jax.algorithms.tabular import worked_examples
from lprl_jax.algorithms.tabular.worked_examples import worked
from lprl_jax.priors import Example, Shown, Wording

LAKE = FrozenLake("4x4", is_slippery=False)
MAP = ["SFFF", "FHFH", "FFFH", "HFFG"]
STEPS = {" left": (-1, 0), " down": (0, 1), " right": (1, 0), " up": (0, -1)}


def distances(text: str) -> tuple[dict[tuple[int, int], int], tuple[int, int]]:
    """Of a lake's text: steps from each cell to the goal, breadth first; and where one stands."""
    cells = re.findall(r"\b([a-d])([1-4])\b", text)
    *holes, goal, at = [(ord(c) - ord("a"), int(r) - 1) for c, r in cells]
    found, waiting = {goal: 0}, collections.deque([goal])
    while waiting:
        x, y = waiting.popleft()
        for dx, dy in STEPS.values():
            cell = x + dx, y + dy
            if cell not in found and cell not in holes and min(cell) >= 0 and max(cell) < 4:
                found[cell] = found[x, y] + 1
                waiting.append(cell)
    return found, at


def examples_of(env: Any, *examples: Any) -> list[Example]:
    found = worked(Wording("mine", examples=examples), env).examples
    assert all(isinstance(x, Example) for x in found)
    return [x for x in found if isinstance(x, Example)]


def test_each_is_a_step_nearer_the_goal() -> None:
    found = examples_of(LAKE, *range(6))
    for example in found:
        steps, (x, y) = distances(example.state)
        dx, dy = STEPS[example.action]
        assert steps[x + dx, y + dy] == steps[x, y] - 1
        assert example.state.endswith("\nMove")
    assert len({example.state for example in found}) == 6
    assert len({example.action for example in found}) >= 3
    assert found[:2] == examples_of(LAKE, 0, 1)


@pytest.mark.parametrize(
    "env", [LAKE, BlocksWorld(3), CubeStacking(), ImageCompletion(), ObjectArrangement()]
)
def test_the_two_that_ship_do_not_say_the_same(env: Any) -> None:
    first, second = worked("few-shot-2", env).examples
    assert isinstance(first, Example)
    assert isinstance(second, Example)
    assert first.action != second.action
    assert {first.action, second.action} <= set(env.action_texts)


def test_of_training_instances_drawn_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def recorded(key: Any, number: int, split: str, **options: Any) -> Any:
        asked.append((number, split, options))
        return draw(key, number, split, **options)

    env = FrozenLake("3x4", is_slippery=False)
    draw = env.sample_params
    monkeypatch.setattr(env, "sample_params", recorded)
    worked("few-shot-2", env, (("goal", "anywhere"),))
    assert asked == [(1, "train", {"goal": "anywhere"})] * 2


def test_the_next_reward_is_what_a_planner_plans_for_patterns() -> None:
    """Of every state of a picture small enough to be planned in."""
    env = ImageCompletion("2x3")
    params = env.params_of([["#..", ".#."]])
    planned = np.asarray(worked_examples._planned(env)(params))
    index = np.arange(env.numbered_states, dtype=np.int32)
    states = jax.vmap(lambda i: env.state_at(0, i, params))(index)
    found = np.asarray(worked_examples._by_reward(env, "it")(states, params))
    np.testing.assert_array_equal(found, planned)


def test_by_hand() -> None:
    pictures = {"keep": "." * 9 + "#", "flip": "#" + "." * 9}
    for action, row in pictures.items():
        (found,) = examples_of(ImageCompletion(), Shown([row, *["." * 10] * 9]))
        assert found.action == f" {action}"
    planned, left, first = examples_of(
        LAKE, Shown(MAP, 14), Shown(MAP, 14, "left"), {"instance": MAP, "action": " up"}
    )
    assert (planned.action, left.action, first.action) == (" right", " left", " up")
    assert left.state == planned.state
    assert "At c4 left ice down edge right goal up ice" in planned.state
    assert "At a1" in first.state


def held_out_map() -> list[str]:
    params = LAKE.sample_params(jax.random.key(0), 1, "held-out")
    tiles = np.asarray(params.bank.tiles[0]).reshape(4, 4)
    return ["".join("SFHG"[tile] for tile in row) for row in tiles]


def block_towers(env: BlocksWorld, split: str) -> dict[str, list[str]]:
    """An instance by hand that is on a side of the split."""
    towers = [("ab", "c"), ("abc",), ("a", "b", "c"), ("cba",), ("bac",), ("ca", "b"), ("bca",)]
    for goal in towers:
        written = {"init": ["acb"], "goal": list(goal)}
        bank = env.params_of([written]).bank
        if bool(env.held_out(jax.tree.map(lambda x: x[0], bank))) == (split == "held-out"):
            return written
    raise AssertionError("none is on that side")


LARGE, SMALL = BlocksWorld(8), BlocksWorld(3)
REFUSED: dict[str, tuple[Any, Any, str]] = {
    "held out": (LAKE, lambda: Shown(held_out_map()), "its instance is held out; right: one to be"),
    "no instance": (LAKE, lambda: Shown(["SF"]), "example 0 of the wording 'mine': "),
    "no such state": (LAKE, lambda: Shown(MAP, 16), "its state is 16; valid: 0 to 15"),
    "below 0": (LAKE, lambda: Shown(MAP, -1), "its state is -1; valid: 0 to 15"),
    "over": (LAKE, lambda: Shown(MAP, 15), "the episode is over in its state"),
    "no such action": (LAKE, lambda: Shown(MAP, 0, "jump"), "its action is 'jump'; valid: left, "),
    "illegal": (
        SMALL,
        lambda: Shown(block_towers(SMALL, "train"), None, "put down the red block"),
        "' put down the red block' is illegal in its state; valid: unstack",
    ),
    "not planned": (LARGE, lambda: 0, "is planned where states are numbered, and BlocksWorld"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_shown_is_refused(name: str) -> None:
    env, example, message = REFUSED[name]
    with pytest.raises(InvalidInput, match=re.escape(message)) as caught:
        examples_of(env, example())
    assert "\n" not in str(caught.value)
    assert "example 0 of the wording 'mine'" in str(caught.value)
