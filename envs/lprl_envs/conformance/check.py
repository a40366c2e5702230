"""check_env: does an environment keep the contract of `TextEnv`?

>>> from lprl_envs import FrozenLake, check_env
>>> check_env(FrozenLake("4x4"))[:2]
('parameters', 'held_out')

Run it in your environment's tests, with a bank of several instances. Each check is a function, in
`instances`, `split`, `arrays`, `episodes`, `text`, `law` or `completions`. Of gymnax's own
environments those are run that need no text, no law and no instances to draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lprl_envs.conformance import arrays, completions, episodes, instances, law, split, text
from lprl_envs.conformance.subject import CheckFailed, Subject
from lprl_envs.errors import InvalidInput
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import TextEnvParams

Check = Callable[[Subject], str | None]
"""None where all is right, otherwise what was found and what would be right."""

CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        instances.parameters,
        instances.held_out,
        instances.sample_params,
        split.split,
        arrays.avals,
        arrays.same_key,
        arrays.copies,
        arrays.static_argument,
        arrays.one_trace,
        arrays.jit,
        arrays.vmap,
        law.state_index,
        episodes.mask,
        episodes.reset,
        episodes.spaces,
        episodes.terminated,
        episodes.truncated,
        episodes.final,
        episodes.auto_reset,
        text.slots,
        text.describe,
        text.distinct_texts,
        text.action_texts,
        law.law,
        law.law_is_step,
        completions.completion,
    )
}
"""Name to check, in the order in which they run: what a check relies on comes before it."""

NEED_MORE = frozenset(
    {
        "sample_params",  # gymnax draws no instances
        "split",
        "one_trace",
        "truncated",  # its states hold a clock of their own, which cannot be set from outside
        "slots",
        "describe",
        "distinct_texts",
        "action_texts",
        "law",
        "law_is_step",
    }
)
"""Checks that do not apply to gymnax's own environments."""


def check_env(
    env: TextEnv[Any, Any], params: TextEnvParams | None = None, *, seed: int = 0
) -> tuple[str, ...]:
    """Run every check.

    Args:
        env: The environment.
        params: Its parameters, best with a bank of several instances; None for the default ones.
        seed: Of the samples: states, actions, rollouts.

    Returns:
        The names of the checks, all passed.

    Raises:
        CheckFailed: at the first that fails: which check, what was found, what would be right.
    """
    return tuple(passing(env, params, seed=seed))


def passing(
    env: TextEnv[Any, Any], params: TextEnvParams | None = None, *, seed: int = 0
) -> Iterator[str]:
    """As `check_env`, name by name as the checks pass."""
    if not isinstance(env, TextEnv):
        raise InvalidInput(f"{type(env).__name__} is no TextEnv, which is what can be checked")
    subject = Subject(env, params, seed)
    for name in CHECKS:
        if name in NEED_MORE and not subject.has_text:
            continue
        require(subject, name)
        yield name


def description(env: TextEnv[Any, Any], name: str) -> str:
    """What it means that an environment passes a check, in a line."""
    if name == "distinct_texts" and env.texts_alias:
        return (
            "Some states read alike, as the environment declares (texts_alias): no prior can tell "
            "them apart, and a learner that sees texts alone is partly blind."
        )
    return (CHECKS[name].__doc__ or "").strip().splitlines()[0]


def require(subject: Subject, name: str) -> None:
    """Run one check; raises CheckFailed where it finds something."""
    try:
        finding = CHECKS[name](subject)
    except Exception as error:  # whatever an environment raises is a finding
        lines = str(error).strip().splitlines() or [""]
        finding = f"it raises {type(error).__name__}: {lines[0]}"
        raise CheckFailed(subject.env.name, name, finding) from error
    if finding:
        raise CheckFailed(subject.env.name, name, " ".join(finding.split()))
