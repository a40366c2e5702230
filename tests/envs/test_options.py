"""A world over options in general: the page's example on a lake, a world with chance, numbers."""

import dataclasses
import itertools
import sys
import types
from pathlib import Path

import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
import pytest
from lprl_envs import CHECKS, InvalidInput, check_env
from lprl_envs.errors import NotNumbered

PAGE = (Path(__file__).parents[2] / "docs" / "environments.md").read_text()
SECTION = PAGE.partition("\n## Options\n")[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def page():
    """What the example makes, in a module of its own."""
    module = types.ModuleType("a_page")
    names = vars(module)
    names.update(dataclasses=dataclasses, jnp=jnp, lprl_envs=lprl_envs)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, module.__name__, module)
        exec(SECTION.partition("```python\n")[2].partition("```")[0], names)
        yield names


MAP = ["SFFF", "FHFF", "FFFF", "FFFG"]


def test_the_example_walks_as_a_twin_does(page):
    """From every cell: to the edge, into a hole or onto the goal, whichever comes first."""
    env = page["env"]
    params = env.params_of([MAP])
    states = jax.vmap(env.state_at, (None, 0, None))(0, jnp.arange(16), params)
    law = jax.jit(jax.vmap(jax.vmap(env.transitions, (None, 0, None)), (0, None, None)))
    _, after, reward, ends = jax.device_get(law(states, jnp.arange(4), params))
    over = {i for i, tile in enumerate("".join(MAP)) if tile in "HG"}
    for start, (option, (dy, dx)) in itertools.product(
        set(range(16)) - over, enumerate([(0, -1), (1, 0), (0, 1), (-1, 0)])
    ):
        y, x = divmod(start, 4)
        while 0 <= y + dy < 4 and 0 <= x + dx < 4:
            y, x = y + dy, x + dx
            if 4 * y + x in over:
                break
        cell = 4 * y + x
        assert after.position[start, option, 0] == cell
        assert ends[start, option, 0] == (cell in over)
        assert reward[start, option, 0] == (MAP[y][x] == "G")
    assert int(params.max_steps_in_episode) == 33  # of the lake's 100 steps


def test_the_example_keeps_the_contract(page):
    env = page["env"]
    assert check_env(env, env.params_of([MAP])) == tuple(CHECKS)


def test_rewards_of_the_way_are_added_and_an_illegal_option_pays_for_itself(page):
    lake = lprl_envs.FrozenLake(
        "4x4", False, reward_schedule=(1.0, -1.0, 0.25), observation="tokens"
    )
    env = lprl_envs.OverOptions(lake, page["ToTheEdge"](), "Lake", illegal_reward=-0.5)
    params = env.params_of([MAP])
    state = env.initial_state(jax.random.key(0), jnp.int32(0), params)
    step = jax.jit(env.step_env)
    _, state, reward, _, _ = step(jax.random.key(0), state, 1, params)
    assert (int(state.position), float(reward), int(state.time)) == (12, 0.75, 1)
    _, after, reward, ended, _ = step(jax.random.key(0), state, 1, params)
    assert (int(after.position), float(reward), bool(ended)) == (12, -0.5, False)
    _, state, reward, ended, _ = step(jax.random.key(0), state, 2, params)
    assert (int(state.position), float(reward), bool(ended)) == (15, 1.5, True)
    with pytest.raises(NotNumbered, match="Lake has too many states"):
        env.state_index(state, params)


def test_over_chance_options_are_played_but_have_no_law(page):
    lake = lprl_envs.FrozenLake("4x4", observation="features")
    env = lprl_envs.OverOptions(lake, page["ToTheEdge"](), "Ice")
    params = env.default_params
    state = env.initial_state(jax.random.key(0), jnp.int32(0), params)
    keys = jax.random.split(jax.random.key(1), 64)
    _, after, *_ = jax.jit(jax.vmap(env.step_env, (0, None, None, None)))(keys, state, 1, params)
    assert len(np.unique(after.position)) > 2
    with pytest.raises(InvalidInput, match="FrozenLake-lprl leaves something to chance"):
        env.transitions(state, jnp.int32(0), params)
    with pytest.raises(InvalidInput, match="'onehot' needs numbered states: name decisions"):
        lprl_envs.OverOptions(lprl_envs.FrozenLake("4x4"), page["ToTheEdge"](), "Ice")
    with pytest.raises(InvalidInput, match="right: ascending numbers of FrozenLake-lprl's states"):
        lprl_envs.OverOptions(lprl_envs.FrozenLake("4x4"), page["ToTheEdge"](), "Ice", 0.0, [3, 1])
    with pytest.raises(InvalidInput, match="Pendulum-lprl is continuous"):
        lprl_envs.OverOptions(lprl_envs.Pendulum(), page["ToTheEdge"](), "P")
