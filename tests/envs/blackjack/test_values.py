"""What blackjack is worth: exact values by our law, to the digits that others found."""

import functools

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.blackjack.gymnasium_twin import value_of as value_of_cards
from lprl_envs import Blackjack
from lprl_envs.blackjack import HANDS, HIT, NATURAL, STICK
from lprl_envs.blackjack.dealer import STANDS, TENS
from lprl_envs.blackjack.hands import OF_TWO
from lprl_envs.conformance.compare import unlikely

from lprl_jax.algorithms.tabular.value_iteration import law_of, plan

STEPS = 21
WON_STATE = 292
HARD, SOFT = (np.array([kind == k for _, kind in HANDS]) for k in ("hard", "soft"))
TOTAL = np.array([total for total, _ in HANDS])


@functools.cache
def tabulated(stands=17, tens=4, sab=True, natural=False):
    """The law `[S, A, K]` on the host."""
    env = Blackjack(sab, natural)
    params = env.params_of([{"stands": stands, "tens": tens}])
    return jax.device_get(_law_of(env, params))


_law_of = jax.jit(lambda env, params: law_of(env, params, jnp.int32(0)), static_argnums=0)
_plan = jax.jit(lambda law: plan(law, STEPS))


def at_start(v, tens=4):
    """The mean of `[S]` over first states."""
    deck = np.array([1.0] * 9 + [tens]) / (9 + tens)
    probs = np.einsum("d,i,j->dij", deck, deck, deck)
    index = OF_TWO[None] * 10 + np.arange(10)[:, None, None]
    return float((probs * v[index]).sum())


def valued(law, policy, pay):
    """Exact value `[S]` in double precision of a policy `[S, A]` for payments `[S, A, K]`."""
    v = np.zeros(len(policy))
    for _ in range(STEPS):
        after = pay + law.discount * v[law.next_state]
        v = (policy * (law.prob.astype(float) * after).sum(-1)).sum(-1)
    return v


def value_of(policy, **rules):
    law = tabulated(**rules)
    return at_start(valued(law, policy, law.reward.astype(float)), rules.get("tens", 4))


def of_hits(hits):
    """A policy `[S, A]` that hits with these hands `bool[29]` or `[29, 10]`."""
    hits = np.broadcast_to(np.reshape(hits, (29, -1)), (29, 10)).reshape(-1)
    hits = np.append(hits, np.zeros(3)).astype(float)
    return np.stack([1 - hits, hits], axis=1)


def best(**rules):
    """The optimal policy `[S, A]`."""
    q = np.asarray(_plan(tabulated(**rules)))
    return np.eye(2)[q.argmax(-1)]


RANDOM = np.full((293, 2), 0.5)
POLICIES = {
    "random": (RANDOM, -0.394175),
    "always stick": (of_hits(np.zeros(29)), -0.182925),
    "stick from 17": (of_hits(TOTAL < 17), -0.075852),
    "stick from 20": (of_hits(TOTAL < 20), -0.350111),
    "never risk a bust": (of_hits((HARD & (TOTAL < 12)) | (SOFT & (TOTAL < 18))), -0.082032),
    "always hit": (of_hits(np.ones(29)), -1.0),
}


@pytest.mark.parametrize(("policy", "right"), POLICIES.values(), ids=POLICIES)
def test_policies(policy, right):
    assert value_of(policy) == pytest.approx(right, abs=6e-7)


RULES = {
    "sab": ({"sab": True}, -0.043113, -0.394175),
    "plain": ({"sab": False}, -0.046556, -0.395896),
    "natural pays 1.5": ({"sab": False, "natural": True}, -0.025729, None),
}


@pytest.mark.parametrize(("rules", "right", "random"), RULES.values(), ids=RULES)
def test_optimum(rules, right, random):
    assert value_of(best(**rules), **rules) == pytest.approx(right, abs=6e-7)
    q = np.asarray(_plan(tabulated(**rules)))
    assert at_start(q.max(-1)) == pytest.approx(right, abs=2e-6)  # in single precision
    if random is not None:
        assert value_of(RANDOM, **rules) == pytest.approx(random, abs=6e-7)


def test_how_often_a_hand_is_won():
    law = tabulated()
    wins = (law.next_state == WON_STATE) * (law.discount == 0)
    wins = wins * (np.arange(293) < 290)[:, None, None]
    assert at_start(valued(law, best(), wins)) == pytest.approx(0.43290, abs=6e-6)
    assert at_start(valued(law, RANDOM, wins)) == pytest.approx(0.2823, abs=6e-5)
    most = np.asarray(_plan(law._replace(reward=jnp.asarray(wins, jnp.float32))))
    assert at_start(most.max(-1)) == pytest.approx(0.4351, abs=6e-5)


def test_the_optimal_policy():
    sticks_from = {"hard": [17, 13, 13, 12, 12, 12, 17, 17, 17, 17], "soft": [18] * 10}
    for card in (1, 9, 10):
        sticks_from["soft"][card - 1] = 19
    right = np.array(
        [
            [STICK if kind == "natural" or total >= sticks_from[kind][card] else HIT
             for card in range(10)]
            for total, kind in HANDS
        ]
    )  # fmt: skip
    np.testing.assert_array_equal(best()[:290].argmax(-1).reshape(29, 10), right)


@functools.cache
def variants():
    """Of every instance: its optimum, what the usual policy gets, decisions that differ."""
    usual, found = best(), {}
    for stands in STANDS:
        for tens in TENS:
            rules = {"stands": stands, "tens": tens}
            own = best(**rules)
            other = (own != usual).any(-1)[: NATURAL * 10].sum()
            found[stands, tens] = value_of(own, **rules), value_of(usual, **rules), int(other)
    return found


def test_instances_are_worth_different_play():
    found = variants()
    optima = [own for own, _, _ in found.values()]
    assert min(optima) == pytest.approx(-0.066, abs=6e-4)
    assert max(optima) == pytest.approx(0.157, abs=6e-4)
    lost = {rule: own - usual for rule, (own, usual, _) in found.items()}
    assert min(lost.values()) == lost[17, 4] == 0
    assert max(lost.values()) == lost[15, 1] == pytest.approx(0.1703, abs=6e-5)
    differ = [other for rule, (*_, other) in found.items() if rule != (17, 4)]
    assert (min(differ), max(differ)) == (11, 36)
    assert found[17, 4][2] == 0


@pytest.mark.parametrize("rule", [(15, 1), (16, 8), (17, 4), (19, 8)], ids=str)
def test_the_usual_policy_by_gymnasiums_functions(rule):
    # A recursion over cards, which knows nothing of hands and their numbers.
    actions = best().argmax(-1)

    def policy(total, card, soft):
        return actions[HANDS.index((total, "soft" if soft else "hard")) * 10 + card - 1]

    assert variants()[rule][1] == pytest.approx(value_of_cards(policy, *rule), abs=1e-7)


# -- Gymnasium's own, played --------------------------------------------------------------------


def played(policy, rules, num, seed):
    """Returns `[num]` of a policy `[29, 10]` in Gymnasium's environment."""
    env = gymnasium.make("Blackjack-v1", **{"natural": False} | rules).unwrapped
    rng, found = np.random.default_rng(seed), []
    obs, _ = env.reset(seed=seed)
    while len(found) < num:
        total, card, soft = obs
        hand = HANDS.index((total, "soft" if soft else "hard"))
        action = int(rng.random() < policy[hand * 10 + card - 1, HIT])
        obs, reward, terminated, *_ = env.step(action)
        if terminated:
            found.append(reward)
            obs, _ = env.reset()
    return np.array(found)


@pytest.mark.parametrize("rules", [{"sab": True}, {"sab": False, "natural": True}], ids=str)
@pytest.mark.parametrize("name", ["random", "stick from 17"])
def test_returns_of_gymnasium(name, rules):
    # How often each return comes, by exact binomial tests.
    policy = POLICIES[name][0]
    law, paid = tabulated(**rules), np.array([-1.0, 0.0, 1.0, 1.5])
    returns = played(policy, rules, 8_000, seed=3)
    counts = (returns[:, None] == paid).sum(0)
    ends = (law.discount == 0) & (np.arange(293) < 290)[:, None, None]
    probs = [at_start(valued(law, policy, ends * (law.reward == pay))) for pay in paid]
    assert sum(probs) == pytest.approx(1, abs=1e-6)
    assert counts.sum() == 8_000
    assert unlikely(counts, np.array(probs)) is None
