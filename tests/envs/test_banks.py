"""Banks of random instances: which are drawn, and that a search for what does not exist ends."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import CheckFailed, FrozenLake, InvalidInput, banks, check_env
from lprl_envs.banks import NoInstance, draw_bank
from lprl_envs.conformance.check import require
from lprl_envs.conformance.subject import Subject

KEY = jax.random.key(3)


def draw(key):
    """A world of whole numbers, 0 to 99."""
    return jax.random.randint(key, (), 0, 100, jnp.int32)


def one_by_one(key, num, fits):
    """What a bank holds, in plain Python: each instance redrawn until it fits."""
    found = []
    for own in jax.random.split(key, num):
        while True:
            own, now = jax.random.split(own)
            if fits(int(instance := draw(now))):
                break
        found.append(int(instance))
    return found


def under_50(number):
    return number < 50


def is_even(number):
    return number % 2 == 0


@pytest.mark.parametrize(
    ("split", "is_fit", "fits"),
    [
        (None, None, lambda n: True),
        (None, is_even, is_even),
        ("train", None, lambda n: not under_50(n)),
        ("held-out", is_even, lambda n: under_50(n) and is_even(n)),
    ],
)
def test_redrawn_until_they_fit(split, is_fit, fits):
    bank = functools.partial(
        draw_bank, num_instances=6, split=split, draw=draw, held_out=under_50, is_fit=is_fit
    )
    right = one_by_one(KEY, 6, fits)
    assert bank(KEY).tolist() == right
    assert jax.jit(bank)(KEY).tolist() == right


def test_one_in_thousands_is_found():
    # More tries than are made before anybody asks whether there is one.
    def rare(key):
        return jax.random.randint(key, (), 0, 20_000, jnp.int32)

    drawn = draw_bank(KEY, 2, "held-out", rare, lambda n: n == 7)
    assert drawn.tolist() == [7, 7]


NOTHING = [
    ("held-out", None, "in the split 'held-out'; use no split, or the other"),
    ("held-out", is_even, "fit to play and in the split 'held-out'; use no split, or the other"),
    (None, lambda n: n < 0, "fit to play; draw them otherwise"),
]


@pytest.mark.parametrize(("split", "is_fit", "what"), NOTHING)
@pytest.mark.parametrize("wrapped", [lambda f: f, jax.jit, jax.vmap], ids=["as is", "jit", "vmap"])
def test_what_does_not_exist_is_refused(wrapped, split, is_fit, what):
    def bank(key):
        return draw_bank(key, 2, split, draw, lambda n: n > 99, is_fit, "Numbers-v0")

    key = KEY[None] if wrapped is jax.vmap else KEY
    with pytest.raises(NoInstance) as error:
        wrapped(bank)(key)
    assert str(error.value) == f"Numbers-v0: none of 1,048,576 random instances is {what}"


def test_what_a_traced_number_decides_ends_too(monkeypatch):
    # Nobody can know beforehand; the running program says so.
    monkeypatch.setattr(banks, "MOST_TRIED", 5000)

    @jax.jit
    def bank(key, least):
        return draw_bank(key, 2, "held-out", draw, lambda n: n >= least)

    assert (bank(KEY, 90) >= 90).all()
    with pytest.raises(Exception, match="none of 5,000 random instances is in the split"):
        jax.block_until_ready(bank(KEY, 100))


def test_a_map_of_one_row_has_no_other_split(monkeypatch):
    monkeypatch.setattr(banks, "MOST_TRIED", 1 << 12)
    env = FrozenLake("1x9")  # only without a hole can the goal be reached
    refused = []
    for split in banks.SPLITS:
        try:
            jax.jit(functools.partial(env.sample_params, num_instances=2, split=split))(KEY)
        except InvalidInput as error:
            refused.append(str(error))
    (line,) = refused
    assert re.match(r"FrozenLake-lprl of 1x9 .*: none of 4,096 random instances is .*split", line)
    require(Subject(env), "sample_params")  # there is one map: that is no mistake
    with pytest.raises(InvalidInput, match="4x4 with these frozen_probability and goal: none"):
        FrozenLake("4x4").sample_params(KEY, 2, frozen_probability=1e-6)


def test_check_env_tells_of_an_empty_split(monkeypatch):
    class NothingHeldOut(FrozenLake):
        def held_out(self, instance):
            return jnp.bool_(False)

    monkeypatch.setattr(banks, "MOST_TRIED", 1 << 12)
    with pytest.raises(CheckFailed, match=r"none of 4,096 random instances .* 'held-out'") as error:
        check_env(NothingHeldOut("4x4", is_slippery=False))
    assert error.value.check == "sample_params"
    assert np.char.count(str(error.value), "\n") == 0
