"""When2Ask's gate: against a linear actor-critic by hand, and what it learns to pay for."""

import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.schedules.worlds import N, R, T, play, start, uniforms, world
from lprl_envs import InvalidInput

from lprl_jax.algorithms.schedules import budgeted, cost

PRICE, RATE = 0.3, 0.01
WORLD = world()
NAMES = ("actor", "critic")


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def weights_of(carry):
    """`[R, {actor, critic}, F + 1]`, the bias last; of networks without hidden layers."""
    layers = [carry.params[name]["Dense_0"] for name in NAMES]
    kernels = [np.asarray(layer["kernel"], np.float64)[..., 0] for layer in layers]
    biases = [np.asarray(layer["bias"], np.float64) for layer in layers]
    return np.stack([np.concatenate(x, -1) for x in zip(kernels, biases, strict=True)], 1)


class Twin:
    """One run's gate: linear, in float64, with every gradient written out."""

    def __init__(self, weights):
        self.weights = weights
        self.m, self.v, self.count = np.zeros_like(weights), np.zeros_like(weights), 0
        # The change with a 1 behind it, wanted, counts, reward, done.
        self.before: tuple[np.ndarray, ...] | None = None

    def learn(self, x):
        actor, critic = self.weights
        if self.before is None:
            gradient = np.zeros_like(self.weights)
        else:
            was, wanted, counts, reward, done = self.before
            delta = reward + 0.99 * np.where(done, 0, x @ critic) - was @ critic
            z, p = was @ actor, sigmoid(was @ actor)
            of_entropy = -z * p * (1 - p)
            of_logit = counts * (delta * (p - wanted) - 0.01 * of_entropy)
            gradient = np.stack([of_logit @ was, -0.5 * delta @ was]) / N
        norm = np.linalg.norm(gradient)
        gradient = gradient * (0.5 / norm if norm > 0.5 else 1.0)
        self.count += 1
        self.m = 0.9 * self.m + 0.1 * gradient
        self.v = 0.999 * self.v + 0.001 * gradient**2
        step = self.m / (1 - 0.9**self.count)
        self.weights = self.weights - RATE * step / (
            np.sqrt(self.v / (1 - 0.999**self.count)) + 1e-8
        )


def test_decision_by_decision():
    schedule = cost.when2ask(PRICE, (), RATE)
    wanted, carry = play(schedule, WORLD)
    twins = [Twin(w) for w in weights_of(start(schedule, WORLD))]
    seen, drawn = WORLD.seen, uniforms(WORLD.keys)
    observation = np.asarray(seen.observation, np.float64)
    can, changed, done = (np.asarray(x) for x in (seen.can_ask, seen.changed, WORLD.done))
    reward = np.asarray(WORLD.reward, np.float64)
    expected, has_asked = np.zeros((T, R, N), bool), np.zeros((R, N), bool)
    for t in range(T):
        for r, twin in enumerate(twins):
            begins = np.ones(N, bool) if t == 0 else done[t - 1, r]
            change = observation[t, r] - observation[t - 1, r]
            x = np.concatenate([np.where(begins[:, None], 0, change), np.ones((N, 1))], 1)
            twin.learn(x)
            expected[t, r] = drawn[t, r] < sigmoid(x @ twin.weights[0])
            asked = expected[t, r] & can[t, r]
            rho = np.where(has_asked[r], np.where(changed[t, r], -0.1, 0.5), 0)
            paid = reward[t, r] - (PRICE + 0.1 * rho) * asked
            twin.before = x, 1.0 * expected[t, r], 1.0 * can[t, r], paid, done[t, r]
            has_asked[r] |= asked
    np.testing.assert_array_equal(wanted, expected)
    last = np.stack([twin.weights for twin in twins])
    np.testing.assert_allclose(weights_of(carry), last, rtol=1e-2, atol=2e-3)
    assert 0.2 < wanted.mean() < 0.8


@pytest.mark.parametrize(("price", "pays"), [(0.3, True), (1.5, False)], ids=["cheap", "dear"])
def test_it_asks_where_it_pays(price, pays):
    """Episodes of two steps: in the second an answer brings 1 if the observation has risen."""
    steps = 3000
    few = world(1, steps)
    up = np.random.default_rng(2).random((steps, R, N)) < 0.5
    second = np.broadcast_to((np.arange(steps) % 2 == 1)[:, None, None], up.shape)
    observation = jnp.float32(np.where(second, np.where(up, 1, -1), 0))[..., None]
    seen = few.seen._replace(
        observation=observation,
        can_ask=jnp.ones_like(few.seen.can_ask),
        changed=jnp.ones_like(few.seen.changed),
    )
    inner = cost.when2ask(price, (8,), 0.02)

    # The world's reward depends on what was asked: it is paid where the schedule is told of it.
    def learn(carry, at, asked):
        carry = inner.learn(carry, at, asked)
        brings = asked.asked & (carry.step.change[..., 0] > 0)
        return carry._replace(step=carry.step._replace(reward=carry.step.reward + brings))

    paid = few._replace(seen=seen, reward=0 * few.reward, done=jnp.asarray(second))
    wanted, _ = play(inner._replace(learn=learn), paid)
    late, late_up, late_second = wanted[-600:], up[-600:], second[-600:]
    risen = late[late_second & late_up].mean()
    assert risen > 0.9 if pays else risen < 0.1
    assert late[late_second & ~late_up].mean() < 0.1


def test_an_untaught_gate_asks_every_other_time():
    schedule = cost.when2ask(PRICE, (8,), 1e-9)
    assert abs(play(schedule, WORLD)[0].mean() - 0.5) < 0.03


def test_a_refusal_by_a_budget_teaches_nothing():
    schedule = budgeted(cost.when2ask(PRICE, (), RATE), 0)
    carry = play(schedule, WORLD)[1].inner
    refused = np.asarray(carry.step.wanted)
    assert refused.any()
    np.testing.assert_array_equal(carry.step.weight, np.asarray(WORLD.seen.can_ask[-1]) & ~refused)


def test_observations_that_are_indices():
    index = WORLD._replace(seen=WORLD.seen._replace(observation=jnp.zeros((T, R, N), jnp.int32)))
    with pytest.raises(InvalidInput, match=r"^the schedule 'when2ask' reads .*; right: an env"):
        start(cost.when2ask(PRICE, (), RATE), index)
