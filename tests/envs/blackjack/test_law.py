"""The law of blackjack against Gymnasium: card by card, exactly, and by playing Gymnasium's own."""

import dataclasses
import itertools
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from envs.blackjack.gymnasium_twin import CARDS, shown
from gymnasium.envs.toy_text import blackjack
from lprl_envs import CHECKS, Blackjack, check_env
from lprl_envs.blackjack import DRAWN, HANDS, HIT, LOST, NATURAL, STICK, WON, law
from lprl_envs.blackjack.dealer import FINALS, STANDS, TENS, finals_of
from lprl_envs.blackjack.hands import OF_TWO
from lprl_envs.conformance.compare import unlikely

RULES = {
    "sab": {"sab": True},
    "natural": {"sab": False, "natural": True},
    "plain": {"sab": False},
}
FIELDS = [{"stands": stands, "tens": tens} for stands in STANDS for tens in TENS]


class Scripted:
    """In the place of Gymnasium's random numbers: these cards."""

    def __init__(self, cards):
        self.cards = list(cards)

    def choice(self, deck):
        del deck
        return self.cards.pop(0)


def theirs(rules, player, dealer, drawn, action):
    """Gymnasium's step from these cards, drawing those: observation, reward, terminated."""
    env: Any = gymnasium.make("Blackjack-v1", **{"natural": False} | rules).unwrapped
    env.player, env.dealer, env._np_random = list(player), list(dealer), Scripted(drawn)
    return env.step(action)[:3]


def our_hand(player):
    """Our number of a hand of cards."""
    total, soft = blackjack.sum_hand(list(player)), blackjack.usable_ace(list(player))
    if blackjack.is_natural(list(player)):
        return NATURAL
    return HANDS.index((total, "soft" if soft else "hard"))


def hands_of(num):
    found = itertools.combinations_with_replacement(CARDS, num)
    return [hand for hand in found if not blackjack.is_bust(list(hand))]


def state_of(env, params, hand, dealer):
    return env.state_at(0, hand * 10 + dealer - 1, params)


def test_the_first_two_cards():
    for one, other in itertools.product(CARDS, CARDS):
        assert OF_TWO[one - 1, other - 1] == our_hand((one, other))


def test_every_hit_is_gymnasiums():
    # From all hands of two, three and four cards, with every card.
    env = Blackjack()
    params = env.default_params
    hit = jax.jit(
        jax.vmap(lambda h: env.transitions(state_of(env, params, h, 5), jnp.int32(HIT), params))
    )
    prob, after, reward, ended = hit(jnp.arange(29))
    np.testing.assert_allclose(prob, [[1 / 13] * 9 + [4 / 13]] * 29, rtol=1e-6)
    met = set()
    for player in (*hands_of(2), *hands_of(3), *hands_of(4)):
        hand = our_hand(player)
        for card in CARDS:
            (total, dealer, soft), paid, over = theirs({"sab": True}, player, (5, 2), [card], HIT)
            to = int(after.hand[hand, card - 1])
            met.add(hand)
            assert (reward[hand, card - 1], ended[hand, card - 1]) == (paid, over)
            if over:
                assert to == LOST
            else:
                assert HANDS[to] == (total, "soft" if soft else "hard")
                assert after.dealer[hand, card - 1] == dealer
    assert met == set(range(29))


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_every_stick_is_gymnasiums(rules):
    # Against each of what a dealer may end with that stands at 17.
    env = Blackjack(**rules)
    ends = {"bust": ((10, 6), [10]), "natural": ((1, 10), [])}
    ends |= {total: ((10, total - 10), []) for total in (17, 18, 19, 20)}
    ends[21] = ((10, 6), [5])

    def settle(hand, finals):
        params = env.default_params
        dealt = jnp.broadcast_to(finals, (1, 10, len(FINALS)))
        params = dataclasses.replace(params, bank=params.bank.replace(finals=dealt))
        return env.transitions(state_of(env, params, hand, 5), jnp.int32(STICK), params)

    settle = jax.jit(settle)
    for player in (*hands_of(2), (1, 1, 9), (5, 6, 10), (7, 7, 7), (1, 3, 3, 4), (2, 2, 2, 5)):
        for name, (dealer, drawn) in ends.items():
            _, paid, over = theirs(rules, player, dealer, drawn, STICK)
            final = jnp.eye(len(FINALS))[FINALS.index(name)]
            prob, after, reward, ended = settle(our_hand(player), final)
            (which,) = np.flatnonzero(prob)
            assert reward[which] == paid
            assert over
            assert ended[which]
            assert after.hand[which] == [LOST, DRAWN, WON][int(np.sign(float(paid))) + 1]


@pytest.mark.parametrize("rule", FIELDS, ids=lambda rule: f"{rule['stands']}-{rule['tens']}")
def test_the_dealers_play(rule):
    found = finals_of(**rule)
    for card in CARDS:
        right = shown(card, **rule)
        for i, final in enumerate(FINALS):
            score = {"bust": 0, "natural": 21}.get(str(final), final)
            expected = float(right.get((score, final == "natural"), 0))
            np.testing.assert_allclose(found[card - 1, i], expected, atol=1e-15)


def test_dealer_bust():
    bust = finals_of(17, 4)[:, FINALS.index("bust")]
    right = [0.1153, 0.3536, 0.3739, 0.3945, 0.4164, 0.4232, 0.2623, 0.2447, 0.2284, 0.2121]
    np.testing.assert_allclose(bust, right, atol=5e-5)


def test_a_bank_holds_the_dealers_play():
    env = Blackjack()
    bank = env.params_of(FIELDS).bank
    right = [finals_of(**rule) for rule in FIELDS]
    np.testing.assert_allclose(bank.finals, right, rtol=1e-6, atol=1e-9)
    sampled = env.sample_params(jax.random.key(0), 30).bank
    rows = np.asarray(sampled.stands) * len(TENS) + np.asarray(sampled.tens)
    np.testing.assert_array_equal(sampled.finals, np.asarray(bank.finals)[rows])


@pytest.mark.parametrize("tens", TENS)
def test_first_states(tens):
    # As often as three cards of this deck: all 290 classes by exact binomial tests.
    env = Blackjack()
    params = env.params_of([{"stands": 17, "tens": tens}])
    start = jax.jit(jax.vmap(lambda key: env.state_index(env.reset(key, params)[1], params)))
    found = np.asarray(start(jax.random.split(jax.random.key(tens), 50_000)))
    deck = np.array([1] * 9 + [tens]) / (9 + tens)
    right = np.zeros(290)
    for dealer, one, other in itertools.product(CARDS, CARDS, CARDS):
        index = our_hand((one, other)) * 10 + dealer - 1
        right[index] += deck[[dealer - 1, one - 1, other - 1]].prod()
    assert unlikely(np.bincount(found, minlength=290), right) is None


def test_cards_by_draws():
    # The deck's shares of [0, 1), to its ends.
    draws = (np.arange(13) + 0.5) / 13
    found = law.card_of(jnp.asarray(draws, jnp.float32), jnp.int32(TENS.index(4)))
    assert found.tolist() == [*range(1, 10), 10, 10, 10, 10]
    ends = jnp.array([0.0, np.nextafter(np.float32(1), np.float32(0))])
    assert law.card_of(ends, jnp.int32(0)).tolist() == [1, 10]


@pytest.mark.parametrize("rules", [RULES["sab"], RULES["natural"]], ids=["sab", "natural"])
def test_ends_lead_nowhere(rules):
    env = Blackjack(**rules)
    params = env.default_params
    for number, hand in ((290, LOST), (291, DRAWN), (292, WON)):
        state = env.state_at(0, number, params)
        assert int(state.hand) == hand
        assert bool(env.is_solved(state, params)) == (hand == WON)
        for action in (STICK, HIT):
            _, after, reward, ended, _ = env.step_env(jax.random.key(0), state, action, params)
            assert (int(after.hand), float(reward), bool(ended)) == (hand, 0, True)


def test_no_episode_is_longer_than_twenty_steps():
    # The longest: two aces, nineteen more, and a card that is too much.
    env = Blackjack()
    params, hand = env.default_params, our_hand((1, 1))
    for _ in range(19):
        assert hand < LOST
        hand = int(law.after_card(jnp.int32(hand), jnp.int32(1)))
    assert HANDS[hand] == (21, "hard")
    assert int(law.after_card(jnp.int32(hand), jnp.int32(1))) == LOST
    assert int(params.max_steps_in_episode) == 21


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_check(rules):
    env = Blackjack(**rules)
    assert check_env(env, env.sample_params(jax.random.key(1), 4)) == tuple(CHECKS)


@pytest.mark.parametrize("observation", ["tokens", "index"])
def test_check_of_other_observations(observation):
    check_env(Blackjack(observation=observation))


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_what_is_drawn_is_one_of_the_outcomes_by_their_probabilities(rules: Any) -> None:
    """Of every hand, action, deck and card of the dealer's, by draws all over [0, 1)."""
    env = Blackjack(**rules)
    params = env.params_of(FIELDS)
    draws = jnp.linspace(0.0, 1.0, 257, endpoint=False) + 1e-4
    hands = jnp.arange(WON + 1)
    instances = jnp.arange(len(FIELDS))

    def both(hand: Any, action: Any, instance: Any, card: Any, draw: Any) -> tuple[Any, Any]:
        dealt = params.bank.tens[instance], params.bank.finals[instance, card], env.pays
        probs, after = law.outcomes(hand, action, *dealt)
        last = jnp.sum(draw >= jnp.cumsum(probs)[:-1])
        return law.drawn(hand, action, *dealt, draw), after[last]

    over = both
    for axis in range(4, -1, -1):
        over = jax.vmap(over, [0 if i == axis else None for i in range(5)])
    found, right = jax.jit(over)(hands, jnp.arange(2), instances, jnp.arange(10), draws)
    np.testing.assert_array_equal(found, right)
    assert {LOST, DRAWN, WON} < set(np.unique(found).tolist())
