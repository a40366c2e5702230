"""What a question tells, in every world with a pattern: the shown part, and nothing else."""

import dataclasses
import functools
import itertools
import string

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import (
    BlocksWorld,
    CubeStacking,
    FrozenLake,
    ImageCompletion,
    ObjectArrangement,
)
from lprl_envs.completion import Completable

BOX = ["red 5", "blue 4", "red 3", "blue 2"]
CUBES, IMAGE, OBJECTS = CubeStacking(4), ImageCompletion("2x3"), ObjectArrangement("2x3")
ORDERS = ["".join(order) for order in itertools.permutations(string.ascii_lowercase[:4])]
PATTERNS = [f"{bits:06b}".replace("0", ".").replace("1", "#") for bits in range(1, 63)]
ROWS = [[pattern[:3], pattern[3:]] for pattern in PATTERNS]


@functools.cache
def params_of(env):
    """All targets there are, of the same cubes or cells."""
    if env is CUBES:
        return env.params_of([{"cubes": BOX, "target": order} for order in ORDERS])
    return env.params_of(ROWS)


def shown(env):
    """Every part that may be shown, and the instances whose target begins so, or holds it."""
    if env is CUBES:
        for height in range(5):
            for stack in sorted({order[:height] for order in ORDERS}):
                yield height, [i for i, order in enumerate(ORDERS) if order.startswith(stack)]
        return
    for bits in itertools.product("#.", repeat=6):
        part = [bit == "#" for bit in bits]
        whole = [i for i, p in enumerate(PATTERNS) if all("#" in x for x in _on(p, part))]
        if whole:
            yield part, whole


def _on(pattern, part):
    return [cell for cell, on in zip(pattern, part, strict=True) if on]


def state_of(env, instance, part, cell=0, time=0):
    if env is CUBES:
        state = env.state_at(instance, part, params_of(CUBES))
    else:
        state = env.state_of(jnp.int32(instance), jnp.asarray(part), jnp.int32(cell))
    return dataclasses.replace(state, time=jnp.int32(time))


def stacked(states):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)


def test_who_has_a_pattern_to_complete():
    found = [
        type(env).__name__
        for env in (FrozenLake("4x4"), BlocksWorld(3), CUBES, IMAGE, OBJECTS)
        if isinstance(env, Completable)
    ]
    assert found == ["CubeStacking", "ImageCompletion", "ObjectArrangement"]


@pytest.mark.parametrize("env", [CUBES, IMAGE, OBJECTS], ids=lambda env: type(env).__name__)
def test_a_prompt_tells_the_shown_part_and_not_the_target(env):
    # All targets by all that is shown of them: alike is what shows the same part, and only that.
    params, parts = params_of(env), list(shown(env))
    rows = [(number, i) for number, (_, whole) in enumerate(parts) for i in whole]
    states = [state_of(env, i, parts[number][0]) for number, i in rows]

    def asked(state, params):
        about = env.question(state, params)
        return env.slots(about, params), env.slots(env.question(about, params), params)

    slots, again = jax.jit(jax.vmap(asked, (0, None)))(stacked(states), params)
    np.testing.assert_array_equal(slots, again)
    texts = {}
    for (number, _), row in zip(rows, slots.tolist(), strict=True):
        texts.setdefault(number, set()).add(env.completion_prompt.render(row))
    assert {len(same) for same in texts.values()} == {1}
    assert len(set.union(*texts.values())) == len(parts)
    assert max(len(whole) for _, whole in parts) == len(params.instances)  # nothing is shown


@pytest.mark.parametrize("env", [CUBES, IMAGE, OBJECTS], ids=lambda env: type(env).__name__)
def test_what_is_followed_depends_on_no_target(env):
    # The same completions in the same shown state of every instance: the same actions.
    params = params_of(env)
    num = len(params.instances)
    part = 0 if env is CUBES else [False] * 6
    states = stacked([state_of(env, i, part, cell=4) for i in range(num)])
    targets = jax.vmap(env.target, (0, None))(params.instances, params)
    follow = jax.vmap(jax.vmap(env.follow, (None, 0, None)), (0, None, None))
    actions = np.asarray(jax.jit(follow)(targets, states, params))
    assert actions.shape == (num, num)
    assert (actions == actions[:, :1]).all()
    assert len(np.unique(actions)) == (4 if env is CUBES else 2)


@pytest.mark.parametrize("env", [CUBES, IMAGE, OBJECTS], ids=lambda env: type(env).__name__)
def test_a_question_sets_aside_what_does_not_belong_to_the_pattern(env):
    params = params_of(env)
    part = 2 if env is CUBES else [False, True] * 3
    first = state_of(env, 7, part)
    for cell, time in ((0, 0), (0, 9), (5, 0), (3, 4)):
        state = state_of(env, 7, part, cell, time)
        about = env.question(state, params)
        assert jax.tree.structure(about) == jax.tree.structure(first)
        for found, right in zip(jax.tree.leaves(about), jax.tree.leaves(first), strict=True):
            assert found.dtype == right.dtype
            np.testing.assert_array_equal(found, right)
        assert float(env.revealed(about, params)) == float(env.revealed(state, params))
