"""What is collected follows the law, the behaviours and the prior, transition by transition."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import FrozenLake, InvalidInput

from lprl_jax.algorithms.base import Data
from lprl_jax.datasets.collect import at_random, by_the_prior, collect, label
from lprl_jax.priors import TabularPrior

ENV = FrozenLake("4x4", is_slippery=True)
MAPS = [["SFFF", "FHFH", "FFFH", "HFFG"], ["SFFF", "FFFF", "FFHF", "FFFG"]]
LIMIT = 10
PARAMS = dataclasses.replace(ENV.params_of(MAPS), max_steps_in_episode=jnp.int32(LIMIT))
R, N, T = 3, 2, 600
FAVOURITE = jax.random.randint(jax.random.key(3), (2, 16), 0, 4)
"""Of the prior, with probability .97."""
TABLE = jnp.log(jnp.where(jax.nn.one_hot(FAVOURITE, 4) == 1, 0.97, 0.01))
PRIOR = TabularPrior(ENV, TABLE, "a table", 30)
DATA = Data(PRIOR.params, PARAMS)
KEYS = jax.random.split(jax.random.key(0), R)
RUN_INSTANCES = jnp.array([[0, 1], [1, 1], [0, 0]], jnp.int32)


@pytest.fixture(scope="module")
def collected():
    behaviours = [at_random(), by_the_prior()]
    return collect(ENV, PRIOR, behaviours, [0.3, 0.7], KEYS, DATA, RUN_INSTANCES, T, N)


@pytest.fixture(scope="module")
def seen(collected):
    """As NumPy's, `[R, T / N, N, ...]`."""
    return jax.tree.map(lambda x: np.asarray(x).reshape(R, T // N, N, *x.shape[2:]), collected[0])


def test_every_transition_is_one_of_the_law(collected):
    dataset = collected[0]
    law = jax.vmap(jax.vmap(lambda s, a: ENV.transitions(s, a, PARAMS)))
    prob, after, reward, terminated = jax.jit(law)(dataset.state, dataset.action)
    same = (
        (prob > 0)
        & (after.position == dataset.next_state.position[..., None])
        & (reward == dataset.reward[..., None])
        & (terminated == dataset.terminated[..., None])
    )
    assert np.asarray(same.any(-1)).all()
    # And as often as it says: a third each, where the three outcomes differ.
    differ = np.array([len(set(row)) == 3 for row in np.asarray(after.position).reshape(R * T, 3)])
    counts = np.asarray(same).reshape(R * T, 3)[differ].sum(0)
    assert counts.sum() > 300
    np.testing.assert_allclose(counts / counts.sum(), 1 / 3, atol=4 * np.sqrt(2 / 9 / counts.sum()))


def test_episodes_follow_each_other(seen):
    done = seen.terminated | seen.truncated
    np.testing.assert_array_equal(seen.next_state.time, seen.state.time + 1)
    np.testing.assert_array_equal(seen.truncated, seen.next_state.time == LIMIT)
    assert (seen.truncated & ~seen.terminated).any()
    assert seen.terminated.any()
    led, acted = seen.next_state, seen.state
    for name in ("time", "position"):
        np.testing.assert_array_equal(
            getattr(acted, name)[:, 1:], np.where(done, 0, getattr(led, name))[:, :-1]
        )
    assert not acted.time[:, 0].any()


def test_a_run_plays_its_own_instances(seen):
    for run, instances in enumerate(np.asarray(RUN_INSTANCES)):
        assert set(seen.state.instance[run].ravel()) == set(instances)


def test_the_prior_is_that_of_both_states(seen):
    table = np.asarray(TABLE)
    state, after = seen.state, seen.next_state
    np.testing.assert_array_equal(seen.log_probs, table[state.instance, state.position])
    expected = table[after.instance, after.position]
    expected[seen.terminated] = np.log(0.25)
    np.testing.assert_allclose(seen.next_log_probs, expected, rtol=1e-6)


def test_behaviours_act_in_whole_episodes_by_their_shares(seen):
    done = seen.terminated | seen.truncated
    favourite = np.asarray(FAVOURITE)[seen.state.instance, seen.state.position] == seen.action
    for behaviour, share in ((0, 0.25), (1, 0.97)):
        own = favourite[seen.behaviour == behaviour]
        assert abs(own.mean() - share) < 4 * np.sqrt(share * (1 - share) / own.size)
    changes = np.diff(seen.behaviour, axis=1) != 0
    assert not (changes & ~done[:, :-1]).any()
    episodes = seen.behaviour[:, 1:][done[:, :-1]]
    assert episodes.size > 100
    assert abs(episodes.mean() - 0.7) < 4 * np.sqrt(0.21 / episodes.size)
    np.testing.assert_array_equal(seen.action_mask, True)


def test_one_question_a_step(collected, seen):
    # The state that is reached unless it is terminal, and the one after a reset.
    cut = int((seen.truncated & ~seen.terminated).sum())
    assert collected[1] == (R * N + R * T + cut, 30)


def test_a_run_is_what_it_would_be_alone(collected):
    behaviours = [at_random(), by_the_prior()]
    alone, _ = collect(
        ENV, PRIOR, behaviours, [0.3, 0.7], KEYS[1:2], DATA, RUN_INSTANCES[1:2], T, N
    )
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x[1:2], y), collected[0], alone)
    assert np.any(collected[0].action[0] != collected[0].action[1])


def test_labels_are_those_that_acting_would_have_given(collected):
    dataset, _ = collected
    bare = dataset._replace(log_probs=(), next_log_probs=())
    labelled, asked = label(ENV, PRIOR, bare, DATA)
    jax.tree.map(np.testing.assert_array_equal, labelled, dataset)
    assert asked == (2 * R * T - int(dataset.terminated.sum()), 30)


@pytest.mark.parametrize(
    ("steps", "envs", "shares", "words"),
    [
        (0, 1, [1.0], "steps is 0; it must be a multiple of the 1"),
        (7, 2, [1.0], "steps is 7; it must be a multiple of the 2"),
        (4, 0, [1.0], "of the 0 environments"),
        (4, 1, [0.0], "each behaviour needs one above 0"),
        (4, 1, [0.5, 0.5], "each behaviour needs one above 0"),
    ],
)
def test_numbers_out_of_range_are_refused(steps, envs, shares, words):
    with pytest.raises(InvalidInput, match=words):
        collect(ENV, None, [at_random()], shares, KEYS, DATA, RUN_INSTANCES, steps, envs)
