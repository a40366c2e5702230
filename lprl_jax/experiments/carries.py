"""What the runs of a state share: what is known of the prior, and of the judge, that they ask."""

from __future__ import annotations

from typing import Any


def of(state: Any) -> tuple[Any, ...]:
    """The prior's carry, and the judge's of a learner that takes advice."""
    if not hasattr(state, "advised"):
        return (state.prior_carry,)
    return state.prior_carry, state.advised.carry


def put(state: Any, carries: tuple[Any, ...]) -> Any:
    """The state with other carries, as `of` has them."""
    state = state._replace(prior_carry=carries[0])
    if len(carries) == 1:
        return state
    return state._replace(advised=state.advised._replace(carry=carries[1]))
