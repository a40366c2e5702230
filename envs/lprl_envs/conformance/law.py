"""The checks of states and of their exact law. See `check`."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lprl_envs.banks import content_hash
from lprl_envs.conformance.arrays import BOOL, F32
from lprl_envs.conformance.compare import difference, differing_avals, first, take, unlikely
from lprl_envs.conformance.rewards import MOST_ERRORS, Means, law_means, means_of, wrong_mean
from lprl_envs.conformance.subject import LIMIT, Subject

NUM_DRAWS, NUM_NOISY_DRAWS = 4096, 10_240
"""Steps from each pair; where rewards are noisy, so many more for their means."""
NUM_DRAWN_PAIRS = 64


# -- states --------------------------------------------------------------------------------------


def state_index(s: Subject) -> str | None:
    """`state_index` and `state_at` are inverse: on all indices, and on states of a rollout.

    An environment that does not number its states has nothing to check here.
    """
    if s.env.num_states is None:
        return None
    instance, index = s.cells
    found = s.each(s.env.state_index, s.states)
    if (found.shape[1:], found.dtype) != ((), jnp.int32):
        return f"state_index is {found.dtype}{list(found.shape[1:])}; right: int32[]"
    for name, x, y in (
        ("state_index", found, index),
        ("time", s.states.time, np.zeros_like(index)),
        ("instance", s.states.instance, instance),
    ):
        if wrong := difference(name, x, y):
            where = f"state_at(instance {instance[wrong.row]}, index {index[wrong.row]})"
            return f"{where}: {wrong.text}"
    reached = s.steps.state
    index = s.each(s.env.state_index, reached)
    if outside := first((index < 0) | (index >= s.env.num_states)):
        found, right = index[outside[0]], f"0 to {s.env.num_states - 1}"
        return f"a state of a rollout has the index {found}; right: {right}"
    again = s.each(s.env.state_at, reached.instance, index)
    right = dataclasses.replace(reached, time=jnp.zeros_like(reached.time))
    if wrong := difference("state", again, right):
        return f"state_at(state_index(state)) of a rollout: {wrong.text}"
    return None


# -- law -----------------------------------------------------------------------------------------


def law(s: Subject) -> str | None:
    """`transitions` is a distribution over states of the instance, and knows which are terminal."""
    env, row, states, actions = s.env, *s.pairs(4096)
    state = take(states, 0)
    prob, after, *rest = jax.eval_shape(env.transitions, state, actions[0], s.params)
    k = prob.shape[0]
    one = jax.eval_shape(env.initial_state, jax.random.key(0), jnp.int32(0), s.params)
    right = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((k, *x.shape), x.dtype), (F32, one, F32, BOOL)
    )
    if wrong := differing_avals("transitions", (prob, after, *rest), right):
        return wrong

    def outcomes(state: Any, action: jax.Array, params: Any) -> Any:
        prob, after, _, ended = env.transitions(state, action, params)
        over = jax.vmap(env.is_terminated, (0, None))(after, params)
        number = jax.vmap(s.number, (0, None))(after, params)
        return prob, number, after.instance, ended, over

    prob, number, instance, ended, over = map(np.asarray, s.each(outcomes, states, actions))
    possible, outside = prob != 0, np.zeros(prob.shape, bool)
    if env.num_states is not None:
        outside = (number < 0) | (number >= env.num_states)
    for wrong, found, right in (
        (~(prob >= 0), prob, "0 or more"),
        (~(np.abs(prob.sum(-1, keepdims=True) - 1) < 1e-5), prob.sum(-1, keepdims=True), "sum 1"),
        (outside, number, f"an index below {env.num_states}"),
        (instance != np.asarray(s.states.instance)[row][:, None], instance, "the same instance"),
        (possible & (ended != over), ended, "terminated as is_terminated says of the next state"),
    ):
        if place := first(wrong):
            where = s.name_of(take(states, place[0]), actions[place[0]])
            return f"{where}: outcome {place[1]} has {found[place]}; right: {right}"
    return None


class Outcomes(NamedTuple):
    """Where steps end: by the law `[P, K]`, or where they are drawn `[P, D]`."""

    number: Any
    real: Any
    """Real numbers of the state, `f32[..., n]`, where those tell states apart."""
    instance: Any
    ended: Any
    reward: Any


def law_is_step(s: Subject) -> str | None:
    """Steps end where the law says, as often as it says, and pay what it says, noise aside."""
    env, (_, states, actions) = s.env, s.pairs(NUM_DRAWN_PAIRS)
    num_draws = NUM_NOISY_DRAWS if env.reward_noise else NUM_DRAWS
    keys = s.keys(2 * len(actions)).reshape(2, -1)

    def tell(state: Any, params: Any) -> tuple[jax.Array, jax.Array]:
        """What tells states apart: a number, and real numbers, which are equal to rounding."""
        if env.num_states is not None:
            return env.state_index(state, params), jnp.zeros(0, jnp.float32)
        whole, real = s.numbers(state)
        return content_hash(whole).astype(jnp.int32), real

    def lawful(state: Any, action: jax.Array, params: Any) -> Any:
        prob, after, reward, ended = env.transitions(state, action, params)
        whole, real = jax.vmap(tell, (0, None))(after, params)
        return prob, Outcomes(whole, real, after.instance, ended, reward)

    def drawn(key: jax.Array, state: Any, action: jax.Array, params: Any) -> Any:
        def draw(key: jax.Array, time: jax.Array) -> Any:
            now = dataclasses.replace(state, time=time)
            _, after, reward, ended, _ = env.step_env(key, now, action, params)
            return Outcomes(*tell(after, params), after.instance, ended, reward)

        keys = jax.random.split(key, num_draws)
        return jax.vmap(draw)(keys, jnp.arange(num_draws, dtype=jnp.int32) % LIMIT)

    prob, listed = jax.tree.map(np.asarray, s.each(lawful, states, actions))
    # An outcome may be listed more than once: all of it counts as its first mention.
    mention = _same(listed, listed, env.reward_noise).argmax(-1)

    def told(turn: int) -> tuple[Outcomes, np.ndarray, np.ndarray]:
        """What is drawn, which outcome of the law that is, and whether it is any: all `[P, D]`."""
        found = jax.tree.map(np.asarray, s.each(drawn, keys[turn], states, actions))
        same = _same(found, listed, env.reward_noise) & (prob > 0)[:, None]
        return found, np.take_along_axis(mention, same.argmax(-1), 1), same.any(-1)

    def where(place: tuple[int, ...]) -> str:
        return s.name_of(take(states, place[0]), actions[place[0]])

    found, outcome, is_any = told(0)
    if impossible := first(~is_any):
        step = f"a step {_outcome(found, impossible)}"
        return f"{where(impossible)}: {step}; right: an outcome of the law"
    columns = np.arange(prob.shape[1])
    probs = (prob[:, :, None] * (mention[:, :, None] == columns)).sum(1)
    counts = (outcome[:, :, None] == columns).sum(1)
    if place := unlikely(counts, probs):
        often = f"{counts[place]} times of {num_draws} a step {_outcome(listed, place)}"
        return f"{where(place)}: {often}; right: {num_draws * probs[place]:.0f}, by the law"
    if not env.reward_noise:
        return None
    law = law_means(prob, listed.reward, mention)

    def again() -> Means:
        found, outcome, _ = told(1)
        return means_of(found.reward, outcome, law)

    means = means_of(found.reward, outcome, law)
    place = wrong_mean(means, again)
    return f"{where(place)}: {_mean_reward(means, law, listed, place)}" if place else None


def _same(x: Outcomes, y: Outcomes, reward_noise: bool) -> np.ndarray:
    """`bool[P, D, K]`: which outcomes `[P, D]` are which of `[P, K]`; real numbers to rounding."""
    pairs = [(a[:, :, None], b[:, None]) for a, b in zip(x, y, strict=True)]
    (i, j), (u, v), (m, n), (e, f), (r, q) = pairs
    alike = (i == j) & (m == n) & (e == f) & np.isclose(u, v, 1e-5, 1e-5).all(-1)
    return alike if reward_noise else alike & np.isclose(r, q, 1e-5, 1e-6)


def _outcome(outcomes: Outcomes, place: tuple[int, ...]) -> str:
    index, _, instance, ended, reward = (part[place] for part in outcomes)
    return f"ends in state {index} of instance {instance}, reward {reward}, terminated {ended}"


def _mean_reward(means: Means, law: np.ndarray, listed: Outcomes, place: tuple[int, ...]) -> str:
    """What is wrong with the mean reward of an outcome, or of all."""
    row, column = place
    num, excess, error, _ = (part[place] for part in means)
    if column < law.shape[1]:
        which, right = f"a step that ends in state {listed.number[place]}", law[place]
    else:
        which = "a step, whatever its outcome,"
        right = np.average(law[row], weights=means.num[row, :-1])
    found = f"the reward of {which} is {right + excess:.4g} in the mean of {num} draws"
    return f"{found}; right: {right:.4g} by the law, give or take {MOST_ERRORS * error:.2g}"
