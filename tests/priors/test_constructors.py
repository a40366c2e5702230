"""Priors say in one line what they cannot be made of."""

from collections.abc import Callable
from typing import Any

import pytest
from lprl_envs import FrozenLake, InvalidInput
from priors.tiny import tiny_model

from lprl_jax.priors import LanguagePrior, UniformPrior

LAKE = FrozenLake("4x4", is_slippery=False)


def made(**arguments: Any) -> Any:
    given = {"env": LAKE, "env_params": None, **arguments}
    return LanguagePrior.of_model(tiny_model(), **given)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: made(chunk="8"), "chunk is '8'; it must be a whole number"),
        (lambda: made(chunk=2.5), "chunk is 2.5; it must be a whole number"),
        (lambda: made(chunk=0), "chunk is 0; at least 1 state"),
        (lambda: made(end_of_action=None), "end_of_action is None; it must be text"),
        (lambda: made(normalization=["sum"]), "unknown normalization ['sum']; valid: sum, token"),
        (lambda: made(env="FrozenLake-lprl"), "env is 'FrozenLake-lprl'; right: an environment"),
        (lambda: made(env_params="x"), "env_params is 'x'; right: parameters with a bank"),
        (lambda: made().with_bank(3), "env_params is 3; right: parameters with a bank"),
        (lambda: UniformPrior("x"), "env is 'x'; right: an environment"),  # pyright: ignore
    ],
    ids=range(9),
)
def test_it_is_one_line(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(InvalidInput) as error:
        call()
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)
