"""Completers by name, and what is refused of a name and its options."""

import pytest
from completers.worlds import CUBES, OBJECTS, accepted, ask, keys_of, refusal, shown
from lprl_envs import CubeStacking, FrozenLake, InvalidInput
from priors.tiny import tiny_model

from lprl_jax.completers import LanguageCompleter, Recorded, completer_of
from lprl_jax.lm import checkpoint, embedded


@pytest.mark.parametrize("name", ["recorded", "perfect", "never-right"])
def test_those_that_ask_no_model(name):
    found = completer_of(name, OBJECTS)
    assert isinstance(found, Recorded)
    assert (found.name, found.env) == (name, OBJECTS)


def test_a_share_of_wrong_answers():
    found = completer_of("perfect", CUBES, CUBES.default_params, epsilon=1)
    assert found.name == "perfect (ε = 1)"
    params = CUBES.default_params
    states = shown(CUBES, params, [3])
    assert not accepted(CUBES, params, states, ask(found, params, states, keys_of(1))[0]).any()


def test_a_model_by_its_name_or_directory(tmp_path):
    env = CubeStacking(4)
    found = completer_of("embedded-early-1", env, temperature=0.5, chunk=3)
    assert isinstance(found, LanguageCompleter)
    assert found.name == "embedded-early-1 (temperature 0.5)"
    assert found.chunk == 3
    checkpoint.save(tmp_path / "mine", tiny_model())
    assert completer_of(str(tmp_path / "mine"), env).name == "mine"
    assert "embedded-early-1" in embedded.MODELS


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("gpt-4", {}, "no completer 'gpt-4'; valid: recorded, perfect, never-right, embedded"),
        ("recorded", {"temperature": -1.0}, "temperature is -1; it must be 0 or above"),
        ("recorded", {"temperature": 0.5}, "temperature is 0.5, and recorded draws no tokens; "),
        ("recorded", {"epsilon": 1.5}, "epsilon is 1.5; it must lie in [0, 1]"),
        ("embedded", {"epsilon": -0.5}, "epsilon is -0.5; it must lie in [0, 1]"),
        ("recorded", {"env": FrozenLake()}, "FrozenLake-lprl has no pattern to complete; valid: "),
        ("recorded", {"env": "cubes"}, "env is 'cubes'; right: an environment"),
        ("perfect", {"env_params": 3}, "env_params is 3; right: parameters with a bank"),
        (3, {}, "completer is 3; it must be text"),
    ],
    ids=range(9),
)
def test_it_is_refused_in_one_line(name, options, words):
    with pytest.raises(InvalidInput) as error:
        completer_of(name, **{"env": CUBES, **options})
    assert refusal(error).startswith(words)
