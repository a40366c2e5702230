"""What DQN stores, asks, repeats and compiles; its values are the business of the probes."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, begin, tables, trainer

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.value_based import dqn
from lprl_jax.priors import TabularPrior

# Stay, walk on, or end; walking on from the last place ends as well. A limit of 3 steps truncates.
CHAIN = [[0, 1, END], [1, 2, END], [2, END, END]]
REWARD = [[0, 0, 0.5], [0.1, 0, 0], [0, 1, 0]]
ENV = TabularMDP(3, 3)
PARAMS = ENV.params_of([tables(CHAIN, REWARD), tables(CHAIN, -np.array(REWARD))], max_steps=3)
R, N, ROLLOUT, UPDATES = 4, 4, 10, 6
STEPS = ROLLOUT * UPDATES
CONFIG = dqn.DQNConfig(
    num_envs=N,
    rollout_length=ROLLOUT,
    updates_per_rollout=2,
    k=3,
    hidden_sizes=(8,),
    buffer_size=N * STEPS,
    batch_size=16,
    learning_rate=1e-2,
    alpha=0.5,
    tau=0.5,
)
TABLE = jax.nn.log_softmax(jax.random.normal(jax.random.key(5), (2, 4, 3)))
# The upper .001 quantile of chi-square with 2 degrees of freedom.
CHI_SQUARE = 13.816


@dataclasses.dataclass(frozen=True, eq=False)
class StrictPrior(TabularPrior):
    """Counts every question as an evaluation; rows that were not asked get a useless answer."""

    @property
    def params(self) -> Any:
        return super().params, USELESS

    def log_probs(
        self, params: Any, carry: Any, env_state: Any, env_params: Any, needed: Any
    ) -> Any:
        table, useless = params
        right, carry = super().log_probs(table, carry, env_state, env_params, needed)
        asked = carry.after_running(needed).evaluations
        return jnp.where(needed[:, None], right, useless), carry._replace(evaluations=asked)


USELESS = jnp.log(jnp.array([[1.0, 0.0, 0.0]]))
PRIOR = StrictPrior(ENV, TABLE, "table", 7)
ALGORITHM = dqn.make(CONFIG, ENV, PRIOR)
DATA = Data(PRIOR.params, PARAMS)
train = trainer(ALGORITHM, UPDATES)


def same(a, b) -> bool:
    """Bitwise."""
    a, b = (jax.tree.map(_plain, tree) for tree in (a, b))
    return jax.tree.all(jax.tree.map(lambda x, y: np.array_equal(x, y), a, b))


def _plain(leaf):
    key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if key else leaf)


@pytest.fixture(scope="module")
def fresh():
    return begin(ALGORITHM, CONFIG, DATA, range(R))


@pytest.fixture(scope="module")
def trained(fresh):
    return train(fresh, DATA)


@pytest.fixture(scope="module")
def seen(trained):
    """Every transition of the training, in order: leaves `[R, STEPS, N, ...]`."""
    ring = trained[0].replay
    assert int(ring.num_added) == STEPS * N
    return jax.tree.map(lambda x: np.asarray(x).reshape(R, STEPS, N, *x.shape[2:]), ring.items)


def test_transitions_follow_the_law_up_to_the_final_state(seen):
    state, after = seen.state, seen.next_state
    place = np.array(CHAIN)[state.place, seen.action]
    np.testing.assert_array_equal(after.place, np.where(place == END, 3, place))
    np.testing.assert_array_equal(after.time, state.time + 1)
    np.testing.assert_array_equal(after.instance, state.instance)
    sign = 1 - 2 * state.instance
    np.testing.assert_allclose(seen.reward, sign * np.array(REWARD)[state.place, seen.action])
    np.testing.assert_array_equal(seen.terminated, place == END)
    assert (seen.terminated & (after.time == 3)).any()  # both at once: terminated
    assert (~seen.terminated & (after.time == 3)).any()


def test_the_next_step_starts_where_the_last_one_led(trained, seen):
    done = seen.terminated | (seen.next_state.time == 3)
    for name in ("place", "time"):
        led, acted = getattr(seen.next_state, name), getattr(seen.state, name)
        expected = np.where(done, 0, led)
        np.testing.assert_array_equal(acted[:, 1:], expected[:, :-1])
        np.testing.assert_array_equal(getattr(trained[0].env_state, name), expected[:, -1])


def test_metrics_add_up(trained, seen):
    _, metrics = trained
    done = seen.terminated | (seen.next_state.time == 3)
    assert metrics["loss"].shape == (UPDATES, R)
    np.testing.assert_array_equal(metrics["episodes"].sum(0), done.sum((1, 2)))
    np.testing.assert_allclose(metrics["reward"].sum(0), seen.reward.sum((1, 2)), atol=1e-4)
    assert int(trained[0].num_steps) == STEPS * N


def test_proposals_are_drawn_from_the_prior_at_the_next_state(seen):
    assert seen.next_prior.shape == (R, STEPS, N, 3)
    for instance in range(2):
        for place in range(3):
            here = (seen.next_state.instance == instance) & (seen.next_state.place == place)
            counts = np.bincount(seen.next_prior[here].ravel(), minlength=3)
            expected = counts.sum() * np.exp(TABLE[instance, place])
            assert counts.sum() > 30
            assert np.sum((counts - expected) ** 2 / expected) < CHI_SQUARE


def test_current_prior_is_that_of_the_current_state(trained):
    state = trained[0]
    expected = TABLE[state.env_state.instance, state.env_state.place]
    np.testing.assert_array_equal(state.log_probs, expected)


@pytest.mark.parametrize("k", [3, "exact"])
def test_one_question_a_step_and_no_use_of_what_was_not_asked(k):
    algorithm = ALGORITHM
    if k == "exact":
        algorithm = dqn.make(dataclasses.replace(CONFIG, k=k), ENV, PRIOR)
    ends = []
    for useless in (USELESS, jnp.zeros((1, 3)) - jnp.log(3.0)):
        data = Data((PRIOR.params[0], useless), PARAMS)
        state = begin(algorithm, CONFIG, data, range(R))
        assert state.prior_carry == (R * N, 7 + R * N)
        ends.append(trainer(algorithm, UPDATES)(state, data)[0])
    first, second = ends
    items = first.replay.items
    truncated = ~items.terminated & (items.next_state.time == 3)
    # A state is asked about when it is reached: the final one unless it is terminal, and the one
    # after a reset. So one question a step, and one more where an episode was cut short.
    asked = R * N * (1 + STEPS) + int(truncated.sum())
    for name in ("params", "target_params", "opt_state", "env_state", "log_probs"):
        assert same(getattr(first, name), getattr(second, name)), name
    for end in ends:
        assert end.prior_carry == (asked, 7 + asked)


def test_same_seed_same_result(fresh, trained):
    again = train(fresh, DATA)
    assert same(again, trained)
    runs = trained[0].params["params"]["Dense_0"]["kernel"]
    assert len(np.unique(np.asarray(runs).reshape(R, -1), axis=0)) == R  # and others differ


def test_runs_are_independent():
    hparams = {
        "learning_rate": [1e-2, 3e-3, 1e-2, 1e-2],
        "gamma": [0.9, 0.9, 0.3, 0.9],
        "alpha": [0.5, 0.5, 0.5, 2.0],
    }
    instances = jnp.array([[0, 1], [1, 1], [0, 0], [0, 1]])
    seeds = [3, 1, 4, 3]
    state = begin(ALGORITHM, CONFIG, DATA, seeds, instances, **hparams)
    together, _ = train(state, DATA)
    assert set(np.unique(together.replay.items.state.instance[1])) == {1}
    for run in range(R):
        own = {name: values[run] for name, values in hparams.items()}
        state = begin(ALGORITHM, CONFIG, DATA, [seeds[run]], instances[run : run + 1], **own)
        alone, _ = train(state, DATA)
        for name in ("params", "target_params", "replay", "env_state"):
            many, one = (_of_run(getattr(s, name), i) for s, i in ((together, run), (alone, 0)))
            jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), many, one)


def _of_run(tree, run):
    return jax.tree.map(lambda x: np.asarray(x)[run] if jnp.ndim(x) else x, tree)


def test_swept_hyper_parameters_in_one_program(fresh, trained):
    compiled = train._cache_size()
    rates = jnp.array([0.0, 1e-2, 1e-4, 0.0])
    swept = fresh._replace(hparams=fresh.hparams._replace(learning_rate=rates))
    after = train(swept, DATA)[0].params["params"]["Dense_0"]["kernel"]
    moved = np.abs(after - fresh.params["params"]["Dense_0"]["kernel"]).max((1, 2))
    assert moved[0] == moved[3] == 0
    assert moved[1] > 20 * moved[2] > 0
    assert train._cache_size() == compiled


def test_another_bank_or_table_does_not_recompile(fresh, trained):
    compiled = train._cache_size()
    bank = [tables(CHAIN, np.ones((3, 3))), tables([[0, 0, 0]] * 3, np.ones((3, 3)))]
    table = StrictPrior(ENV, jnp.zeros_like(TABLE) - jnp.log(3.0), "uniform", 7)
    data = Data(table.params, ENV.params_of(bank, max_steps=2))
    state, _ = train(fresh, data)
    assert train._cache_size() == compiled
    # And they are used: rewards are 1 now, and nothing lasts longer than what was begun before.
    assert (state.replay.items.reward == 1).all()
    assert int(state.replay.items.next_state.time.max()) == 2


def test_restart_takes_a_new_bank_and_keeps_what_was_learnt(fresh, trained):
    compiled = train._cache_size()
    bank = [tables(CHAIN, np.ones((3, 3))), tables([[0, 0, 0]] * 3, np.ones((3, 3)))]
    data = Data(DATA.prior_params, ENV.params_of(bank, max_steps=3))
    state, _ = trained
    again = ALGORITHM.restart(state, data)
    for name in ("params", "target_params", "opt_state", "num_steps", "hparams"):
        jax.tree.map(np.testing.assert_array_equal, getattr(again, name), getattr(state, name))
    assert int(again.replay.num_added) == 0
    assert not again.env_state.time.any()
    asked = [int(s.prior_carry.queries) for s in (again, state)]
    assert asked[0] == asked[1] + again.env_state.time.size
    after, _ = train(again, data)
    assert train._cache_size() == compiled
    kept = jax.tree.map(lambda x: x[:, : int(after.replay.num_added)], after.replay.items)
    assert (kept.reward == 1).all()  # nothing of the old bank is left


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("k", 0),
        ("k", -1),
        ("k", 2.5),
        ("k", "all"),
        ("alpha", 0.0),
        ("alpha", -1.0),
        ("alpha", float("nan")),
        ("gamma", 1.5),
        ("gamma", -0.1),
        ("tau", 2.0),
        ("epsilon", -0.5),
        ("learning_rate", 0.0),
        ("max_grad_norm", 0.0),
        ("num_envs", 0),
        ("rollout_length", 0),
        ("updates_per_rollout", 0),
        ("batch_size", 0),
        ("buffer_size", 0),
        ("buffer_size", 1001),  # of 4 environments
        ("buffer_size", 2),
    ],
)
def test_bad_settings_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f"^{field} is {value!r}.*(valid|must)"):
        dqn.DQNConfig(**{"num_envs": 4, "buffer_size": 1000, field: value})
