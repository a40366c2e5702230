"""What a prior was asked is counted beyond 32 bits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lprl_jax.priors.base import Count, Counters


def test_three_thousand_million_queries_count_right() -> None:
    """In a compiled loop, by steps that do not divide a word."""
    step = 1_000_003

    @jax.jit
    def count(counters: Counters) -> Counters:
        asked = Count.of(jnp.uint32(step))
        return jax.lax.fori_loop(
            0, 3_000, lambda _, c: c._replace(queries=c.queries.plus(asked)), counters
        )

    once = count(Counters.zero(7))
    assert int(once.queries) == 3_000 * step > 2**31
    assert int(count(count(once)).queries) == 9_000 * step > 2**33
    assert once.evaluations == 7


@pytest.mark.parametrize("before", [0, 2**31 - 3, 2**32 - 3, 2**32, 5 * 2**32 - 1])
def test_carries_and_borrows(before: int) -> None:
    needed = jnp.ones(8, bool).at[3].set(False)
    start = Counters(Count.of(before), Count.of(5))
    looked_up, ran = start.after_looking_up(needed), start.after_running(needed)
    assert (int(looked_up.queries), int(looked_up.evaluations)) == (before + 7, 5)
    assert (int(ran.queries), int(ran.evaluations)) == (before + 7, 12)
    since = ran.minus(start)
    assert (since.queries, since.evaluations) == (7, 7)
    assert start.plus(since).queries == before + 7


def test_plain_numbers_begin_a_count_too() -> None:
    asked = Counters(jnp.int32(2**31 - 3), jnp.int32(0)).after_running(jnp.ones(8, bool))  # pyright: ignore
    assert int(asked.queries) == 2**31 + 5


def test_several_are_their_sum() -> None:
    shares = jax.tree.map(lambda *x: jnp.stack(x), Count.of(2**32 - 1), Count.of(2**32 - 1))
    assert int(shares) == 2**33 - 2
    assert shares == 2**33 - 2 != Count.of(1)
    assert Count.of(np.int32(4)) != "4"
