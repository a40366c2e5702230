"""Frozen Lake's picture: one size a map, another picture for every cell, every map of any size."""

import jax.numpy as jnp
import pytest
from lprl_envs import Animation, FrozenLake


@pytest.mark.parametrize("name", ["4x4", "2x7"])
def test_every_cell_is_another_picture(name):
    env = FrozenLake(name)
    params = env.default_params
    states = [env.state_at(jnp.int32(0), jnp.int32(i), params) for i in range(env.num_states)]
    pictures = [env.render(state, params).rgb for state in states]
    assert len({picture.shape for picture in pictures}) == 1
    assert len({picture.tobytes() for picture in pictures}) == env.num_states


@pytest.mark.parametrize(("name", "shape"), [("1x26", (84, 684)), ("99x1", (1644, 76))])
def test_long_maps(name, shape):
    env = FrozenLake(name)
    params = env.params_of([["S" + "F" * 24 + "G"] if name == "1x26" else [*"S" + "F" * 97 + "G"]])
    assert env.render(env.state_at(jnp.int32(0), jnp.int32(3), params), params).rgb.shape == (
        *shape,
        3,
    )


def test_an_episode_moves(tmp_path):
    env = FrozenLake("4x4", is_slippery=False)
    params = env.default_params
    states = [env.state_at(jnp.int32(0), jnp.int32(cell), params) for cell in (0, 4, 5)]
    frames = [env.render(state, params) for state in states]
    Animation(frames).save(tmp_path / "lake.gif")
    assert (tmp_path / "lake.gif").read_bytes().startswith(b"GIF89a")
