"""check_tokens: Frozen Lake passes with every tokenizer; what a model would misread is caught."""

import jax
import pytest
from lprl_envs import CheckFailed, FrozenLake, Literal, Scope, Slot, Template

from lprl_jax.lm.check import check_tokens


@pytest.mark.parametrize("kind", ["ours", "gpt-2", "llama-2", "llama-3", "qwen-2", "begins"])
def test_frozen_lake_passes(tokenizer, kind):
    env = FrozenLake("4x4")
    check_tokens(env, env.sample_params(jax.random.key(0), 3), tokenizer(kind))
    check_tokens(FrozenLake("8x8", is_slippery=False), None, tokenizer(kind))


class SaysItsOwn(FrozenLake):
    """In one state only."""

    def describe(self, state, params):
        text = super().describe(state, params)
        return text.replace("down hole", "down ice") if int(state.position) == 3 else text


class RunsTogether(FrozenLake):
    """Its value has no space of its own."""

    @property
    def template(self):
        cells = tuple(f"left{letter}" for letter in "abcdefghijklmnop")
        begin, end = Literal("Holes and right "), Literal(" go", Scope.STATE)
        return Template((begin, Slot("cell", cells), end))

    def slots(self, state, params):
        return state.position[None]


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (SaysItsOwn(), "state 3 of instance 0 at time 0: the graph renders the tokens of"),
        (RunsTogether(), "this tokenizer does not split the template at 'Holes and right ' + "),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_would_be_misread_is_caught(tokenizer, env, message):
    with pytest.raises(CheckFailed) as caught:
        check_tokens(env, None, tokenizer("gpt-2"))
    line = str(caught.value)
    assert line.startswith(f"FrozenLake-lprl fails the check tokens: {message}")
    assert "\n" not in line
    assert caught.value.check == "tokens"
