"""What a world does by default, from what its author has said; worlds of one's own by name."""

import copy
import dataclasses
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnax
import jax
import jax.numpy as jnp
import lprl_envs
import numpy as np
import pytest
from flax import struct
from lprl_envs import InvalidInput, Literal, Scope, Slot, Template, TextEnv, TextEnvState, make
from lprl_envs.registration import ENVIRONMENTS

RUNGS, SLIP = 4, 0.25


@struct.dataclass
class Wall:
    """An instance."""

    height: jax.Array
    """i32[]: rungs."""
    colour: jax.Array
    """f32[2]: no one sees it."""


@struct.dataclass(kw_only=True)
class State(TextEnvState):
    rung: jax.Array
    """i32[]"""
    fell: jax.Array
    """bool[]"""


class Ladder(TextEnv[State, Any]):
    """Climb; or jump, and be at the top at once or on the ground for good."""

    time_limit = 7

    def __init__(self, ground: str = "grass", sizes: tuple[int, ...] = (1, 2)):
        self.ground, self.sizes = ground, sizes

    @property
    def template(self) -> Template:
        rungs = tuple(f" {rung}" for rung in range(RUNGS + 1))
        wall = Literal(f"A ladder on {self.ground} of"), Slot("height", rungs, Scope.INSTANCE)
        at = Literal(". You are on"), Slot("rung", rungs), Slot("fell", ("", " and hurt"))
        return Template((*wall, *at, Literal(". Now")))

    @property
    def action_texts(self) -> tuple[str, ...]:
        return " climb", " jump"

    def slots(self, state: State, params: Any) -> jax.Array:
        height = params.bank.height[state.instance]
        return jnp.stack([height, state.rung, state.fell.astype(jnp.int32)])

    def draw(self, key: Any) -> Wall:
        height = jax.random.randint(key, (), 0, RUNGS + 1)
        return Wall(height, jax.random.uniform(key, (2,), jnp.float32))

    def is_fit(self, instance: Wall) -> jax.Array:
        return instance.height > 0

    def identity(self, instance: Wall) -> jax.Array:
        return instance.height[None]

    def initial_state(self, key: Any, instance: Any, params: Any) -> State:
        zero = jnp.int32(0)
        return State(time=zero, instance=jnp.int32(instance), rung=zero, fell=jnp.bool_(False))

    def is_solved(self, state: State, params: Any) -> jax.Array:
        return state.rung == params.bank.height[state.instance]

    def is_terminated(self, state: State, params: Any) -> jax.Array:
        return self.is_solved(state, params) | state.fell

    def transitions(self, state: State, action: jax.Array, params: Any) -> Any:
        top = params.bank.height[state.instance]
        over = self.is_terminated(state, params)
        climbs = jnp.stack([jnp.minimum(state.rung + 1, top)] * 2)
        jumps = jnp.stack([top, jnp.int32(0)])
        rung = jnp.where(over, state.rung, jnp.where(action == 0, climbs, jumps))
        fell = jnp.array([False, True]) & (action == 1) & ~over | state.fell
        after = jax.vmap(lambda r, f: dataclasses.replace(state, rung=r, fell=f))(rung, fell)
        solved = jax.vmap(self.is_solved, (0, None))(after, params)
        prob = jnp.array([1 - SLIP, SLIP], jnp.float32)
        ended = jax.vmap(self.is_terminated, (0, None))(after, params)
        return prob, after, jnp.where(over, 0.0, solved.astype(jnp.float32)), ended


ENV = Ladder()
WALLS = [{"height": h, "colour": [0.0, 1.0]} for h in (1, 2, 4)]


def walls() -> Any:
    return ENV.params_of(WALLS)


def test_a_world_of_the_least_keeps_the_contract() -> None:
    lprl_envs.check_env(ENV, ENV.sample_params(jax.random.key(0), 6))


def test_features_are_a_one_hot_a_slot() -> None:
    params = walls()
    state = ENV.initial_state(jax.random.key(0), 1, params)
    state = dataclasses.replace(state, rung=jnp.int32(3), fell=jnp.bool_(True))
    right = np.concatenate([np.eye(5)[2], np.eye(5)[3], np.eye(2)[1]])
    np.testing.assert_array_equal(ENV.features(state, params), right)
    assert ENV.num_features == 12
    assert ENV.observation_space(params).contains(ENV.features(state, params))


def test_a_step_is_an_outcome_as_often_as_the_law_says() -> None:
    params, keys = walls(), jax.random.split(jax.random.key(0), 4_000)
    state = ENV.initial_state(keys[0], 1, params)
    _, after, reward, ended, _ = jax.vmap(ENV.step_env, (0, None, None, None))(
        keys, state, 1, params
    )
    share = float(np.mean(after.fell))
    assert abs(share - SLIP) < 4 * np.sqrt(SLIP * (1 - SLIP) / 4_000)
    np.testing.assert_array_equal(after.rung, np.where(after.fell, 0, 2))
    np.testing.assert_array_equal(reward, ~np.asarray(after.fell))
    assert ended.all()
    assert (after.time == 1).all()


def test_banks_are_of_what_is_drawn() -> None:
    params = walls()
    assert params.bank.height.tolist() == [1, 2, 4]
    assert params.bank.colour.dtype == jnp.float32
    assert int(params.max_steps_in_episode) == 7
    drawn = ENV.sample_params(jax.random.key(0), 64)
    assert set(drawn.bank.height.tolist()) == {1, 2, 3, 4}  # 0 is not fit
    train = set(ENV.sample_params(jax.random.key(1), 64, "train").bank.height.tolist())
    assert train
    assert all(not bool(ENV.held_out(Wall(jnp.int32(h), jnp.zeros(2)))) for h in train)
    assert ENV.default_params.bank.height.shape == (1,)


@pytest.mark.parametrize(
    "instances",
    [
        [],
        [3],
        [{"height": 1}],
        [{"height": 1, "colour": [0.0, 0.0], "smell": 0}],
        [Wall(jnp.int32(1), jnp.zeros(3))],
        [Wall(1.5, [0.0, 0.0])],  # type: ignore[arg-type]
        [Wall(2**40, [0.0, 0.0])],  # type: ignore[arg-type]
        [Wall(1, [0.0, float("nan")])],  # type: ignore[arg-type]
        [Wall(1, [0.0, 1e300])],  # type: ignore[arg-type]
        [Wall("two", [0.0, 0.0])],  # type: ignore[arg-type]
        [Wall(1, [[0.0], [0.0, 1.0]])],  # type: ignore[arg-type]
    ],
)
def test_instances_that_are_none(instances: list[Any]) -> None:
    with pytest.raises(InvalidInput) as error:
        ENV.params_of(instances)
    assert "\n" not in str(error.value)
    assert not instances or "int32[]" in str(error.value)


def test_an_instance_by_hand_must_be_fit() -> None:
    with pytest.raises(InvalidInput, match="Ladder cannot be played in the instance"):
        ENV.params_of([*WALLS, {"height": 0, "colour": [0.0, 0.0]}])


def test_two_of_equal_arguments_are_equal() -> None:
    assert Ladder() == ENV == Ladder("grass", sizes=(1, 2)) == Ladder(sizes=[1, 2])  # type: ignore[arg-type]
    assert hash(Ladder()) == hash(ENV)
    assert Ladder("sand") != ENV
    assert ENV.config == ("grass", (1, 2))
    assert copy.copy(ENV) == ENV == pickle.loads(pickle.dumps(ENV))


def test_what_a_world_cannot_be_made_with() -> None:
    with pytest.raises(InvalidInput, match=r"a world was made with \[1, 2\]|with array"):
        Ladder(np.array([1, 2]))  # type: ignore[arg-type]


def test_identity_is_all_numbers() -> None:
    found = TextEnv.identity(ENV, Wall(jnp.int32(3), jnp.array([0.5, 1.0], jnp.float32)))
    np.testing.assert_array_equal(found, [3, *np.array([0.5, 1.0], np.float32).view(np.int32)])


def test_a_state_that_is_no_array_needs_a_space_of_its_own() -> None:
    class Nested(Ladder):
        def initial_state(self, key: Any, instance: Any, params: Any) -> State:
            own = super().initial_state(key, instance, params)
            return dataclasses.replace(own, rung=(own.rung, own.rung))  # type: ignore[arg-type]

    with pytest.raises(InvalidInput, match=r"the state's rung is .*; right: arrays, or"):
        Nested().state_space(walls())


# -- by name -----------------------------------------------------------------------------------


@pytest.fixture
def registered() -> Iterator[str]:
    lprl_envs.register("Ladder-test", Ladder)
    yield "Ladder-test"
    del ENVIRONMENTS["Ladder-test"]
    gymnax.registered_envs.remove("Ladder-test")


def test_a_registered_world_is_made_here_and_in_gymnax(registered: str) -> None:
    lprl_envs.register(registered, Ladder)  # a module that is loaded twice
    assert make(registered, ground="sand")[0] == Ladder("sand")
    assert gymnax.make(registered)[0] == ENV
    with pytest.raises(InvalidInput, match=r"env 'Ladder-test': .*unexpected keyword"):
        make(registered, height=3)


@pytest.mark.parametrize(
    ("env_id", "world", "words"),
    [
        ("CartPole-v1", Ladder, "the id 'CartPole-v1' is another environment's"),
        ("FrozenLake-lprl", Ladder, "the id 'FrozenLake-lprl' is another environment's"),
        ("ladders:Ladder", Ladder, "the id 'ladders:Ladder' is a module and a class"),
        ("Ladder-2", ENV, "right: a class that is a TextEnv"),
        ("Ladder-2", dict, "right: a class that is a TextEnv"),
        (2, Ladder, "it must be text"),
    ],
)
def test_what_cannot_be_registered(env_id: Any, world: Any, words: str) -> None:
    with pytest.raises(InvalidInput) as error:
        lprl_envs.register(env_id, world)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("env_id", "words"),
    [
        ("no_such_module:Ladder", "there is no module 'no_such_module' here"),
        ("no.such:Ladder", "there is no module 'no.such' here"),
        ("my_ladders:Stairs", "'Stairs' is no TextEnv of the module; it has Steep"),
        ("my_ladders:HEIGHT", "'HEIGHT' is no TextEnv of the module; it has Steep"),
        ("my_ladders:", "'' is no TextEnv of the module; it has Steep"),
        ("json:loads", "'loads' is no TextEnv of the module; it has no world"),
    ],
)
def test_worlds_that_a_module_lacks(
    env_id: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "from lprl_envs import FrozenLake\nHEIGHT = 3\nclass Steep(FrozenLake):\n    pass\n"
    (tmp_path / "my_ladders.py").write_text(own)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(InvalidInput) as error:
        make(env_id)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert type(make("my_ladders:Steep", map_name="4x4")[0]).__name__ == "Steep"
    sys.modules.pop("my_ladders")
