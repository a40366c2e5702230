"""Schedules that go by values, decision by decision against plain Python, and untaught."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.schedules.worlds import N, R, T, play, start, uniforms, untaught, world
from lprl_envs import InvalidInput

from lprl_jax.algorithms.schedules import by_values

WORLD = world()
Q, HEADS = np.asarray(WORLD.seen.q_values), np.asarray(WORLD.seen.heads)
LEGAL = np.asarray(WORLD.seen.legal)
WINDOW, LEAST, PERCENTILE = 40, 10, 70.0
SCHEDULES = {
    "importance": by_values.importance(1.0),
    "selective_sampling": by_values.selective_sampling(0.5),
    "head_variance": by_values.head_variance(0.2),
    "adaptive_heads": by_values.adaptive_percentile(WINDOW, LEAST, PERCENTILE, "heads"),
    "adaptive_margin": by_values.adaptive_percentile(WINDOW, LEAST, PERCENTILE, "margin"),
}


def margin(t, r, n):
    """Infinite where there are not two legal actions."""
    best = sorted(float(q) for q, legal in zip(Q[t, r, n], LEGAL[t, r, n], strict=True) if legal)
    return best[-1] - best[-2] if len(best) > 1 else np.inf


def variance(t, r, n):
    """0 where nothing is legal."""
    legal = np.flatnonzero(LEGAL[t, r, n])
    columns = [HEADS[t, r, n, :, a].astype(np.float64) for a in legal]
    return float(np.mean([np.mean((c - c.mean()) ** 2) for c in columns])) if columns else 0.0


def span(t, r, n):
    """Minus infinite where nothing is legal."""
    legal = Q[t, r, n][LEGAL[t, r, n]]
    return float(legal.max() - legal.min()) if len(legal) else -np.inf


def by_rule(rule):
    """`bool[T, R, N]`"""
    return np.array([[[rule(t, r, n) for n in range(N)] for r in range(R)] for t in range(T)])


def by_percentile(uncertainty):
    """The adaptive rule: a list a run, from which the first falls out."""
    held = [[] for _ in range(R)]
    wanted = np.zeros((T, R, N), bool)
    for t in range(T):
        for r in range(R):
            found = [uncertainty(t, r, n) for n in range(N)]
            bound = np.percentile(held[r], PERCENTILE) if held[r] else np.inf
            wanted[t, r] = [len(held[r]) < LEAST or u > bound for u in found]
            held[r] = (held[r] + found)[-WINDOW:]
    return wanted


def test_the_world_has_states_of_every_kind():
    count = LEGAL.sum(-1)
    assert set(range(5)) == set(np.unique(count).tolist())
    assert np.isnan(Q[~LEGAL]).any()
    assert (Q[~LEGAL] == np.inf).any()


def test_importance():
    expected = by_rule(lambda t, r, n: span(t, r, n) > 1.0)
    np.testing.assert_array_equal(play(SCHEDULES["importance"], WORLD)[0], expected)
    assert 0.1 < expected.mean() < 0.9


def test_selective_sampling():
    drawn = uniforms(WORLD.keys)
    expected = by_rule(lambda t, r, n: drawn[t, r, n] < 0.5 / (0.5 + margin(t, r, n)))
    np.testing.assert_array_equal(play(SCHEDULES["selective_sampling"], WORLD)[0], expected)
    assert 0.1 < expected.mean() < 0.9


def test_head_variance():
    expected = by_rule(lambda t, r, n: variance(t, r, n) > 0.2)
    np.testing.assert_array_equal(play(SCHEDULES["head_variance"], WORLD)[0], expected)
    assert 0.1 < expected.mean() < 0.9


def test_adaptive_percentile_of_heads():
    expected = by_percentile(variance)
    np.testing.assert_array_equal(play(SCHEDULES["adaptive_heads"], WORLD)[0], expected)
    assert 0.1 < expected.mean() < 0.9


def test_adaptive_percentile_of_margins():
    least = -float(np.finfo(np.float32).max) / 2
    expected = by_percentile(lambda t, r, n: max(-margin(t, r, n), least))
    np.testing.assert_array_equal(play(SCHEDULES["adaptive_margin"], WORLD)[0], expected)
    assert 0.1 < expected.mean() < 0.9


def test_nothing_of_illegal_actions_gets_through():
    """Neither by the values in between, nor into what is held."""
    found = [by_values.margin(WORLD.seen), by_values.variance_of_heads(WORLD.seen)]
    assert not any(np.isnan(x).any() for x in found)
    for name in ("adaptive_heads", "adaptive_margin"):
        assert np.isfinite(play(SCHEDULES[name], WORLD)[1].values).all()
    seen = jax.tree.map(lambda x: x[0], WORLD.seen)
    for schedule in SCHEDULES.values():
        carry = start(schedule, WORLD)
        with jax.debug_nans(True):
            schedule.ask(carry, WORLD.keys[0], seen)


@pytest.mark.parametrize(
    ("held", "percentile", "expected"),
    [(1, 70, 3.0), (2, 50, 2.0), (4, 0, 1.0), (4, 100, 9.0), (4, 50, 3.5), (3, 25, 2.0)],
)
def test_percentiles_by_hand(held, percentile, expected):
    values = jnp.array([3.0, 1.0, 4.0, 9.0, 100.0])
    found = by_values.percentile_of(values, jnp.int32(held), percentile)
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(found, np.percentile(values[:held], percentile))


def test_between_equals_nothing_is_rounded():
    same = jnp.full(50, -0.3)
    for held in range(1, 51):
        assert by_values.percentile_of(same, jnp.int32(held), 70.0) == same[0]


# -- a learner that knows nothing ----------------------------------------------------------------


def share(schedule, kind):
    """Of steps in which it asks."""
    return float(play(schedule, untaught(WORLD, kind))[0].mean())


def test_untaught_importance_asks_nothing_unless_noise_exceeds_the_threshold():
    assert share(by_values.importance(0.1), "alike") == 0
    assert share(by_values.importance(0.01), "at random") > 0.98
    assert share(by_values.importance(100.0), "at random") == 0


def test_untaught_selective_sampling_asks_everywhere():
    assert share(by_values.selective_sampling(0.1), "alike") == 1
    assert share(by_values.selective_sampling(100.0), "at random") > 0.98


def test_untaught_heads_ask_everywhere_unless_they_are_alike():
    assert share(by_values.head_variance(0.001), "at random") > 0.98
    assert share(by_values.head_variance(100.0), "at random") == 0
    assert share(by_values.head_variance(0.001), "alike") == 0


@pytest.mark.parametrize("of", ["heads", "margin"])
def test_an_untaught_percentile_asks_at_first_and_then_by_its_share(of):
    schedule = SCHEDULES[f"adaptive_{of}"]
    wanted = play(schedule, untaught(WORLD, "alike"))[0]
    # Three environments a step: after four steps 12 of at least 10 are held.
    assert wanted[:4].all()
    assert not wanted[4:].any()
    assert abs(share(schedule, "at random") - (1 - PERCENTILE / 100)) < 0.05


# -- what it needs -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["head_variance", "adaptive_heads"])
def test_a_single_network_has_no_heads(name):
    for heads in ((), WORLD.seen.heads[..., :1, :]):
        alone = WORLD._replace(seen=WORLD.seen._replace(heads=heads))
        with pytest.raises(InvalidInput, match=r"has a single one; right: num_heads of 2 or more$"):
            start(SCHEDULES[name], alone)


def test_a_window_that_holds_less_than_a_step():
    schedule = by_values.adaptive_percentile(2, 1, 50.0, "margin")
    with pytest.raises(InvalidInput, match=r"^ask_window is 2, .* 3 environments; .* 3 or more$"):
        start(schedule, WORLD)
