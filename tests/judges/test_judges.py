"""Judges: verdicts by hand, controls against what they promise, tables as files."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import END, TabularMDP, tables
from lprl_envs import CartPole, InvalidInput

from lprl_jax import judges
from lprl_jax.judges import of_prior
from lprl_jax.judges.tabular import TabularJudge
from lprl_jax.priors import TabularPrior, UniformPrior

LEGAL = np.array([[1, 1, 0], [1, 1, 1]], bool)
ENV = TabularMDP(2, 3)
PARAMS = ENV.params_of([tables([[0, 1, END]] * 2, np.full((2, 3), i), LEGAL) for i in range(2)])
TABLE = np.array([[[1, -1, 0], [0, 1, -1], [0, 0, 0]], [[-1, 0, 0], [1, 1, -1], [0, 0, 0]]])
JUDGE = judges.of_table(ENV, PARAMS, TABLE, "table")


def states(rows, instance=0):
    return jax.vmap(lambda i: ENV.state_at(instance, i, PARAMS))(jnp.asarray(rows))


def ask(judge, rows, instance=0, seed=0, params=None):
    given = states(rows, instance)
    keys = jax.random.split(jax.random.key(seed), len(rows))
    every = jnp.ones(len(rows), bool)
    params = judge.params if params is None else params
    found, _ = jax.jit(judge.verdicts)(params, judge.init(), keys, given, PARAMS, every)
    return np.asarray(found)


def test_a_uniform_prior_has_nothing_to_say() -> None:
    for soft in (False, True):
        found = ask(judges.PriorJudge(UniformPrior(ENV), soft=soft), [0, 1])
        np.testing.assert_allclose(found, 0, atol=1e-6)


def test_verdicts_of_a_prior_by_hand() -> None:
    p = jnp.array([[0.7, 0.2, 0.1], [0.4, 0.4, 0.2], [0.34, 0.33, 0.33], [0.8, 0.2, 0.0]])
    legal = jnp.ones((4, 3), bool).at[3, 2].set(False)
    hard = of_prior.of_log_probs(jnp.log(p), legal, near=0.5, rare=3.0, soft=False)
    # ρ is 3 p in the first three rows and 2 p in the last.
    np.testing.assert_array_equal(hard, [[1, 0, -1], [1, 1, 0], [1, 0, 0], [1, 0, 0]])
    soft = of_prior.of_log_probs(jnp.log(p), legal, near=0.5, rare=3.0, soft=True)
    ratio = np.array([[2.1, 0.6, 0.3], [1.2, 1.2, 0.6], [1.02, 0.99, 0.99], [1.6, 0.4, 1.0]])
    np.testing.assert_allclose(soft, (ratio**2 - 1) / (ratio**2 + 1), atol=1e-5)


def test_a_prior_is_judged_by_where_it_is_asked() -> None:
    log_probs = jax.nn.log_softmax(jnp.where(jnp.asarray(LEGAL), jnp.array([2.0, -2, 0]), -jnp.inf))
    full = jnp.stack([jnp.vstack([log_probs, jnp.zeros((1, 3))])] * 2)
    judge = judges.PriorJudge(TabularPrior(ENV, full, "two", 0))
    np.testing.assert_array_equal(
        ask(judge, [0, 1]), [[1, -1, 0], [1, -1, 0]]
    )  # ρ of the last is .35
    assert judge.name == "two as judge"


def test_values_by_hand() -> None:
    q = jnp.array([[1.0, 0.9, 0.4, 0.0], [0.5, 0.5, 0.5, 0.5], [1.0, -9.0, 0.0, 0.0]])
    legal = jnp.ones((3, 4), bool).at[2, 1].set(False)
    strict = judges.of_values(q, legal)
    np.testing.assert_array_equal(strict, [[1, -1, -1, -1], [0, 0, 0, 0], [1, 0, -1, -1]])
    lenient = judges.of_values(q, legal, good_within=0.15, bad_beyond=0.7)
    np.testing.assert_array_equal(lenient, [[1, 1, 0, -1], [0, 0, 0, 0], [1, 0, -1, -1]])
    np.testing.assert_array_equal(judges.of_values(q, legal, alike_below=2.0), np.zeros((3, 4)))


def test_constant_judges_speak_of_legal_actions_alone() -> None:
    np.testing.assert_array_equal(ask(judges.always_good(ENV), [0, 1]), LEGAL)
    np.testing.assert_array_equal(ask(judges.uniform(ENV), [0, 1]), np.zeros((2, 3)))


def test_an_adversary_turns_every_verdict_round() -> None:
    worse = judges.corrupt(JUDGE, adversarial=True)
    np.testing.assert_array_equal(ask(worse, [0, 1], 1), -TABLE[1, :2])
    assert worse.name == "table (adversarial)"


MANY = np.zeros(4000, np.int32)
"""The same state again and again, in which the first action is good, the second bad."""


def test_errors_by_step_come_and_go() -> None:
    worse = judges.corrupt(JUDGE, accuracy=0.7)
    found = ask(worse, MANY)
    for action, right in enumerate([1, -1]):
        share = np.mean(found[:, action] == right)
        assert abs(share - 0.7) < 4 * np.sqrt(0.21 / len(MANY))
        assert set(found[:, action]) == {1, -1}
    assert np.all(found[:, 2] == 0)  # it is illegal
    assert not np.array_equal(found, ask(worse, MANY, seed=1))
    unsure = ask(worse, MANY + 1)[:, 0]  # where the judge was unsure, an error is either
    assert abs(np.mean(unsure == 0) - 0.7) < 4 * np.sqrt(0.21 / len(MANY))
    assert abs(np.mean(unsure)) < 4 * np.sqrt(0.3 / len(MANY))


def test_errors_by_state_are_repeated_and_of_the_stated_share() -> None:
    """In many instances, since each errs in its own states."""
    many = 300
    table = jnp.broadcast_to(jnp.asarray(TABLE[0], jnp.float32), (many, 3, 3))
    bank = ENV.params_of([tables([[0, 1, END]] * 2, np.zeros((2, 3)), LEGAL)] * many)
    worse = judges.corrupt(judges.of_table(ENV, bank, table, "same"), accuracy=0.7, errors="state")
    instances = jnp.repeat(jnp.arange(many, dtype=jnp.int32), 2)
    given = jax.vmap(lambda i, s: ENV.state_at(i, s, bank))(
        instances, jnp.tile(jnp.arange(2), many)
    )
    verdicts = jax.jit(worse.verdicts)
    found = []
    for seed in range(2):
        keys = jax.random.split(jax.random.key(seed), 2 * many)
        asked = keys, given, bank, jnp.ones(2 * many, bool)
        found.append(np.asarray(verdicts(worse.params, worse.init(), *asked)[0]))
    np.testing.assert_array_equal(*found)
    same = (found[0].reshape(many, 2, 3) == TABLE[0, :2])[:, LEGAL]
    assert abs(same.mean() - 0.7) < 4 * np.sqrt(0.21 / same.size)
    assert same.all(axis=1).any()
    assert not same.all()


def test_lazy_and_biased_shares() -> None:
    lazy = ask(judges.corrupt(JUDGE, lazy=0.4), MANY)
    assert abs(np.mean(lazy[:, 0] == 0) - 0.4) < 4 * np.sqrt(0.24 / len(MANY))
    biased = ask(judges.corrupt(JUDGE, bias=0.25), MANY)
    assert abs(np.mean(biased[:, 1] == 1) - 0.25) < 4 * np.sqrt(0.19 / len(MANY))


def test_a_table_is_what_was_asked_and_survives_its_file(tmp_path) -> None:
    worse = judges.corrupt(JUDGE, accuracy=0.5, errors="state", seed=3)
    table = judges.tabulate(worse, ENV, PARAMS)
    for instance in range(2):
        np.testing.assert_array_equal(ask(table, [0, 1], instance), ask(worse, [0, 1], instance))
    table.save(tmp_path / "judge.npz", PARAMS)
    again = TabularJudge.load(tmp_path / "judge.npz", ENV, PARAMS)
    assert again.name == table.name
    np.testing.assert_array_equal(again.params.verdicts, table.params.verdicts)


def test_where_states_are_real_numbers_a_table_is_of_texts() -> None:
    env = CartPole()
    params = env.default_params
    rows = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], (1, 1225, 2)).astype(np.float32)
    judge = judges.of_table(env, params, rows, "texts")
    keys = jax.random.split(jax.random.key(0), 40)
    _, given = jax.vmap(env.reset, (0, None))(keys, params)
    given = dataclasses.replace(given, theta=jnp.linspace(-0.2, 0.2, 40), x=jnp.linspace(-2, 2, 40))
    found, _ = judge.verdicts(judge.params, judge.init(), keys, given, params, jnp.ones(40, bool))
    slots = np.asarray(jax.vmap(env.slots, (0, None))(given, params))[:, -4:]
    cells = np.ravel_multi_index(slots.T, (5, 5, 7, 7))
    np.testing.assert_array_equal(found, rows[0, cells])
    assert len(np.unique(cells)) == 9


def test_what_is_asked_is_counted() -> None:
    needed = jnp.array([True, False, True])
    given = states([0, 1, 1])
    keys = jax.random.split(jax.random.key(0), 3)
    _, carry = JUDGE.verdicts(JUDGE.params, JUDGE.init(), keys, given, PARAMS, needed)
    assert (int(carry.queries), int(carry.evaluations)) == (2, 0)


REFUSED = {
    "accuracy": (lambda: judges.corrupt(JUDGE, accuracy=1.5), "accuracy is 1.5; it must lie in"),
    "errors": (lambda: judges.corrupt(JUDGE, errors="often"), "errors"),
    "no env": (lambda: judges.corrupt(JUDGE, env=None, lazy=-1), "lazy is -1"),
    "near": (lambda: judges.PriorJudge(UniformPrior(ENV), near=0), "near is 0"),
    "rare": (lambda: judges.PriorJudge(UniformPrior(ENV), rare=1), "rare is 1"),
    "shape": (lambda: judges.of_table(ENV, PARAMS, TABLE[0], "x"), r"right: \[2, 3, 3\]"),
    "range": (lambda: judges.of_table(ENV, PARAMS, 2 * TABLE, "x"), "outside of"),
    "constant": (lambda: judges.ConstantJudge(ENV, 2, "x"), "verdict is 2"),
    "draws": (
        lambda: judges.tabulate(judges.corrupt(JUDGE, accuracy=0.5), ENV, PARAMS),
        "errs anew at every step",
    ),
    "no judge": (lambda: judges.require_judge(UniformPrior(ENV)), "judge is UniformPrior"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    call, message = REFUSED[name]
    with pytest.raises(InvalidInput, match=message):
        call()


def test_a_damaged_table_and_another_world_are_refused(tmp_path) -> None:
    JUDGE.save(tmp_path / "judge.npz", PARAMS)
    other = TabularMDP(3, 3)
    with pytest.raises(InvalidInput, match="is of template"):
        TabularJudge.load(tmp_path / "judge.npz", other, other.default_params)
    (tmp_path / "judge.npz").write_bytes(b"nothing")
    with pytest.raises(InvalidInput, match="is not a table of verdicts"):
        TabularJudge.load(tmp_path / "judge.npz", ENV, PARAMS)
