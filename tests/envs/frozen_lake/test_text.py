"""Frozen Lake's text against a twin in plain Python; slots, tokens and the indices of states."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import FrozenLake, Literal, Scope, parse_map
from lprl_envs.frozen_lake.env import EnvParams

SIZES = {"4x4": 6, "8x8": 4, "3x11": 4, "12x2": 4}


def twin(rows, cell, is_slippery) -> str:
    """The text of standing on `cell`, from the rows of a map."""
    names = {
        (r, c): f"{'abcdefghijklmnopqrstuvwxyz'[c]}{r + 1}"
        for r in range(len(rows))
        for c in range(len(rows[0]))
    }
    reads = {"S": "ice", "F": "ice", "H": "hole", "G": "goal", None: "edge"}
    tile = {place: rows[place[0]][place[1]] for place in names}
    row, col = list(names)[cell]
    around = {"left": (0, -1), "down": (1, 0), "right": (0, 1), "up": (-1, 0)}
    looks = [
        f"{word} {reads[tile.get((row + down, col + right))]}"
        for word, (down, right) in around.items()
    ]
    holes = [name for place, name in names.items() if tile[place] == "H"]
    (goal,) = (name for place, name in names.items() if tile[place] == "G")
    return (
        "Cross the frozen lake to the goal and avoid holes. "
        f"The ice is {'slippery' if is_slippery else 'firm'}.\n"
        f"{' '.join(['Holes', *holes])}\n"
        f"Goal {goal}\n"
        f"At {names[row, col]} {' '.join(looks)}\n"
        "Move"
    )


@functools.cache
def random_maps(name):
    """Parameters with random maps, solvable or not, and their rows."""
    env, rng = FrozenLake(name), np.random.default_rng(7)
    rows = []
    for _ in range(SIZES[name]):
        tiles = rng.choice(["F", "H"], env.num_states, p=[0.7, 0.3])
        tiles[rng.choice(env.num_states, 2, replace=False)] = "S", "G"
        rows.append(["".join(row) for row in tiles.reshape(env.shape)])
    tiles = [np.array([["SFHG".index(t) for t in row] for row in grid]) for grid in rows]
    return env.params_of(tiles), rows


def lake(name, **options) -> tuple[FrozenLake, EnvParams, list[list[str]]]:
    return FrozenLake(name, **options), *random_maps(name)


def everywhere(env, params):
    """The states of every map and cell, `[M * S]`."""
    num_maps = params.bank.tiles.shape[0]
    instances, cells = jnp.divmod(jnp.arange(num_maps * env.num_states), env.num_states)
    return jax.vmap(env.state_at, (0, 0, None))(instances, cells, params)


def slots_of(function, env, params):
    return np.asarray(jax.jit(jax.vmap(function, (0, None)))(everywhere(env, params), params))


@pytest.mark.parametrize("is_slippery", [True, False])
@pytest.mark.parametrize("name", SIZES)
def test_text_equals_its_twin(name, is_slippery):
    # Every cell of every map, holes and goal included.
    env, params, maps = lake(name, is_slippery=is_slippery)
    texts = [env.template.render(slots.tolist()) for slots in slots_of(env.slots, env, params)]
    assert texts == [
        twin(rows, cell, is_slippery) for rows in maps for cell in range(env.num_states)
    ]
    assert any("H" in "".join(rows) for rows in maps)


def test_describe_is_render_of_slots():
    env, params, maps = lake("4x4")
    for instance, cell in [(0, 0), (3, 9), (5, 15)]:
        state = env.state_at(jnp.int32(instance), jnp.int32(cell), params)
        assert env.describe(state, params) == twin(maps[instance], cell, True)


def test_text_of_the_8x8_map_written_out():
    env = FrozenLake("8x8", is_slippery=False)
    state = env.reset(jax.random.key(0))[1]
    assert env.describe(state, env.default_params) == (
        "Cross the frozen lake to the goal and avoid holes. The ice is firm.\n"
        "Holes d3 f4 d5 b6 c6 g6 b7 e7 g7 d8\n"
        "Goal h8\n"
        "At a1 left edge down ice right ice up edge\n"
        "Move"
    )


def test_map_without_holes():
    env = FrozenLake("2x2")
    params = env.params_of([parse_map(["SF", "FG"])])
    text = env.describe(env.state_at(jnp.int32(0), jnp.int32(2), params), params)
    assert text.split("\n")[1:4] == [
        "Holes",
        "Goal b2",
        "At a2 left edge down edge right goal up ice",
    ]


def test_time_is_not_in_the_text():
    env = FrozenLake("4x4", is_slippery=False)
    params, key = env.default_params, jax.random.key(0)
    state = env.reset(key, params)[1]
    later = env.step(key, env.step(key, state, 2, params)[1], 0, params)[1]
    assert (int(state.position), int(later.time)) == (int(later.position), 2)
    assert env.describe(state, params) == env.describe(later, params)


@pytest.mark.parametrize("name", SIZES)
def test_slots_lie_in_the_ranges_of_their_values(name):
    env, params, _ = lake(name)
    slots = slots_of(env.slots, env, params)
    sizes = np.array([len(slot.values) for slot in env.template.slots])
    assert slots.dtype == np.int32
    assert slots.shape[1:] == (env.template.num_slots,) == (env.num_states + 6,)
    assert ((slots >= 0) & (slots < sizes)).all()


def test_slots_change_only_within_their_scope():
    # Over the states of one map the instance's slots stand still: they can be a shared prefix.
    env, params, _ = lake("4x4")
    slots = slots_of(env.slots, env, params).reshape(SIZES["4x4"], env.num_states, -1)
    still = np.array([slot.scope < Scope.STATE for slot in env.template.slots])
    assert (slots == slots[:, :1])[..., still].all()
    assert (slots != slots[:, :1])[..., ~still].any((0, 1)).all()


@pytest.mark.parametrize("name", SIZES)
def test_tokens_tell_states_apart_as_texts_do(name):
    env, params, _ = lake(name, observation="tokens")
    texts = [env.template.render(slots.tolist()) for slots in slots_of(env.slots, env, params)]
    observe = functools.partial(env.observe, jax.random.key(0), action=None)
    tokens = slots_of(lambda state, params: observe(state=state, params=params), env, params)
    assert tokens.dtype == np.int32
    assert ((tokens >= 0) & (tokens < env.template.num_words)).all()
    distinct = {(text, row.tobytes()) for text, row in zip(texts, tokens, strict=True)}
    assert len(distinct) == len(set(texts)) == len({row.tobytes() for row in tokens})


def test_words_are_cells_tiles_and_nothing():
    assert FrozenLake("3x5").template.num_words == 15 + 4 + 1


@pytest.mark.parametrize("name", SIZES)
def test_state_index_is_the_inverse_of_state_at(name):
    env, params, _ = lake(name)
    states = everywhere(env, params)
    index = jax.vmap(env.state_index, (0, None))(states, params)
    assert index.dtype == jnp.int32
    assert index.tolist() == list(range(env.num_states)) * SIZES[name]
    assert states.instance.tolist() == np.repeat(range(SIZES[name]), env.num_states).tolist()
    assert not states.time.any()


def test_visited_states_are_state_at_of_their_index():
    env, params, _ = lake("4x4")
    key, state = jax.random.key(0), None
    state = env.reset(key, params)[1]
    for i in range(20):
        state = env.step(jax.random.fold_in(key, i), state, i % 4, params)[1]
        index = env.state_index(state, params)
        assert 0 <= int(index) < env.num_states
        again = env.state_at(state.instance, index, params)
        assert (again.instance, again.position) == (state.instance, state.position)


def test_action_texts_name_the_moves():
    # On firm ice, from the middle of 3x3, each text leads where its word says.
    env = FrozenLake("3x3", is_slippery=False)
    params = env.params_of([parse_map(["SFF", "FFF", "FFG"])])
    middle = env.state_at(jnp.int32(0), jnp.int32(4), params)
    landed = [int(env.step_env(jax.random.key(0), middle, a, params)[1].position) for a in range(4)]
    lands = {" left": 3, " down": 7, " right": 5, " up": 1}
    assert dict(zip(env.action_texts, landed, strict=True)) == lands


def test_answers_follow_a_literal_that_no_state_changes():
    last = FrozenLake("4x4").template.segments[-1]
    assert isinstance(last, Literal)
    assert last.text == "\nMove"
