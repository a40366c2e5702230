"""To Minari and back, to the bit."""

import dataclasses
import importlib
import importlib.util
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from datasets.tiny_data import ORIGIN
from lprl_envs import FrozenLake, InvalidInput

from lprl_jax.algorithms.base import Data
from lprl_jax.datasets import minari_format
from lprl_jax.datasets.collect import at_random, collect
from lprl_jax.priors import UniformPrior

ENV = FrozenLake("4x4", is_slippery=False)
PARAMS = dataclasses.replace(ENV.default_params, max_steps_in_episode=jnp.int32(6))
OWN = dataclasses.replace(ORIGIN, num_envs=2)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(InvalidInput, match=r"Minari is missing; install lprl-jax\[minari\]"):
        minari_format.read("lake/random-v0", ENV, PARAMS)


@pytest.mark.skipif(importlib.util.find_spec("minari") is None, reason="needs the extra `minari`")
def test_there_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minari = importlib.import_module("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    keys, runs = jax.random.split(jax.random.key(0), 2), jnp.zeros((2, 1), jnp.int32)
    found, _ = collect(
        ENV, UniformPrior(ENV), [at_random()], [1.0], keys, Data((), PARAMS), runs, 40, 2
    )
    found = jax.device_get(found)
    minari_format.export("lake/random-v0", found, OWN, ENV, PARAMS)
    again, origin = minari_format.read("lake/random-v0", ENV, PARAMS)
    jax.tree.map(np.testing.assert_array_equal, again, found)
    assert origin == OWN
    theirs = minari.load_dataset("lake/random-v0")
    done = found.terminated | found.truncated
    unfinished = int((~done.reshape(2, 20, 2)[:, -1]).sum())
    assert theirs.total_episodes == done.sum() + unfinished
    assert theirs.total_steps == 80
    episode = next(iter(theirs.iterate_episodes()))
    assert episode.observations.shape == (len(episode.rewards) + 1, 16)
    np.testing.assert_array_equal(episode.observations.argmax(-1), episode.infos["state.position"])
    with pytest.raises(InvalidInput, match="cannot write 'lake/random-v0'"):
        minari_format.export("lake/random-v0", found, OWN, ENV, PARAMS)
    with pytest.raises(InvalidInput, match="Minari has no dataset 'lake/none-v0' here"):
        minari_format.read("lake/none-v0", ENV, PARAMS)
    with pytest.raises(InvalidInput, match="of template"):
        minari_format.read("lake/random-v0", FrozenLake("4x4"), PARAMS)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([[[0, 0], [0, 2]], [[1, 0], [1, 1], [1, 2]]], "5 transitions, 5 of them different, are"),
        ([[[0, 0], [0, 1]], [[0, 0]]], "3 transitions, 2 of them different, are not 1 runs of 2"),
        ([[[0, 0], [0, -1]]], "its runs and places are not numbered"),
        ([[[0.0, 0.0]]], "its runs and places are not numbered"),
        ([[[0, 0]], [[10**9, 10**9]]], "2 transitions, 2 of them different, are not 1000000001"),
    ],
)
def test_transitions_that_make_no_runs_are_refused(places, message):
    with pytest.raises(InvalidInput, match=f"'x/y-v0' is damaged: {message}"):
        minari_format._lead("x/y-v0", [np.array(episode) for episode in places])
