"""Overcooked keeps the contract; that the papers' texts alias, the check says."""

import jax
import pytest
from lprl_envs import CHECKS, CheckFailed, Overcooked, check_env
from lprl_envs.conformance import check
from lprl_envs.conformance.subject import Subject

from lprl_jax.cli.main import main


def test_check():
    env = Overcooked("salad", illegal_reward=-0.1)
    assert check_env(env, env.sample_params(jax.random.key(1), 4)) == tuple(CHECKS)


OF_WORDING = ("split", "state_index", "mask", "slots", "describe", "distinct_texts", "action_texts")
"""Checks to which it makes a difference."""


def test_check_says_that_states_read_alike(capsys, monkeypatch):
    monkeypatch.setattr(check, "CHECKS", {name: CHECKS[name] for name in OF_WORDING})
    assert main(["check", "Overcooked-lprl", "kitchen=tomato", "wording=paper"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = (line for line in lines if line.startswith("ok  distinct_texts"))
    assert line == (
        "ok  distinct_texts: Some states read alike, as the environment declares (texts_alias): no "
        "prior can tell them apart, and a learner that sees texts alone is partly blind."
    )
    assert lines[-1] == f"Overcooked-lprl keeps the contract: {len(OF_WORDING) + 1} checks passed"


def test_undeclared_it_fails():
    env = Overcooked("tomato", "paper")
    env.texts_alias = False
    with pytest.raises(CheckFailed, match="both read 'There is a fixed cutting board"):
        check.require(Subject(env), "distinct_texts")
