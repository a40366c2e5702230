"""Blackjack: Gymnasium's law, against dealers and decks of fifteen kinds.

Reference: `gymnasium.envs.toy_text.blackjack` (>= 1.2.1); Sutton and Barto 2018, Reinforcement
Learning, example 5.1. `Blackjack(sab=True)` is `Blackjack-v1`.

* Cards are drawn with replacement: the dealer's card and its hidden one, then the player's two.
* Actions: 0 sticks, 1 hits, both always legal. Over 21 is lost: -1. Who sticks lets the dealer draw
  below the total at which it stands (a soft total counts), and gets 1, 0 or -1: the nearer to 21.
* A natural is an ace and a ten as the first two cards. With `sab` it wins 1 against whatever is no
  natural; with `natural`, which needs `sab=False`, it pays 1.5 where it wins.

The hidden card is independent of all that is seen, so that it is drawn with the dealer's others.
Gymnasium's observation does not tell a natural from another soft 21; our states and texts do, since
they pay differently. That makes 290 states, and the three ends. A state reads

    I play blackjack: I must come nearer to 21 than the dealer, but not above it. [...]
    The dealer stands at 17. The deck has one card each from ace to 9, and 4 worth 10.
    You hold 16 hard. Dealer shows 10.
    Answer

Hands are numbered in `hands`, the dealer's play is worked out in `dealer`, actions in `law`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
from gymnax.environments import spaces

from lprl_envs import values
from lprl_envs.banks import draw_bank, made_once
from lprl_envs.blackjack import law, text
from lprl_envs.blackjack.hands import LOST, OF_TWO, WON
from lprl_envs.blackjack.instances import USUAL, Tables, bank_of, random_rules, tables_of
from lprl_envs.blackjack.picture import draw_table
from lprl_envs.blackjack.states import NUM_STATES, EnvParams, EnvState, number_of, of_number
from lprl_envs.errors import InvalidInput, require_one_of
from lprl_envs.observations import OBSERVATIONS
from lprl_envs.render import Picture
from lprl_envs.template import Template
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import Action
from lprl_envs.threefry import written_out

LIMIT = 21
"""Steps; no episode is longer than 20: two aces, nineteen more, and stick or bust."""


class Blackjack(TextEnv[EnvState, EnvParams]):
    """Blackjack.

    Args:
        sab: Whether a natural beats all but a natural, as Sutton and Barto have it.
        natural: Whether a natural that wins pays 1.5; not together with `sab`.
        observation: `"features"` f32[39], one-hot: total, kind and dealer's card, where the dealer
            stands and what the deck holds; `"tokens"` i32[5], the words of the state's text,
            numbered by the template's vocabulary; `"index"` i32[] of the state; `"onehot"` f32[293]
            of it.

    Raises:
        InvalidInput: on any argument out of these.
    """

    version = 1

    def __init__(self, sab: bool = True, natural: bool = False, observation: str = "features"):
        self.pays = law.Payments(values.truth("sab", sab), values.truth("natural", natural))
        if self.pays.sab and self.pays.natural:
            raise InvalidInput("natural is True with sab True, where it pays 1; set sab: false")
        require_one_of("observation", values.text("observation", observation), OBSERVATIONS)
        self.observation = observation
        self.config = (*self.pays, observation)
        self._template = text.template_of(*self.pays)

    @property
    def name(self) -> str:
        """The registered id."""
        return "Blackjack-lprl"

    @property
    def num_actions(self) -> int:
        """Stick and hit."""
        return 2

    @property
    @made_once
    def default_params(self) -> EnvParams:
        """Gymnasium's: the dealer stands at 17, the deck has four tens."""
        return self.params_of([USUAL])

    def params_of(self, instances: Sequence[Any]) -> EnvParams:
        """Parameters with these dealers and decks (see `instances.bank_of`) as the bank."""
        return EnvParams.of_all(bank_of(instances), limit=LIMIT)

    def sample_params(
        self, key: chex.PRNGKey, num_instances: int, split: str | None = None
    ) -> EnvParams:
        """A bank of random dealers and decks, of fifteen kinds, drawn in the graph.

        Args:
            key: Random key.
            num_instances: M.
            split: `"train"`, `"held-out"`, or None for both.
        """
        return EnvParams.of_all(self._draw_bank(key, num_instances, split), limit=LIMIT)

    @functools.partial(jax.jit, static_argnums=(0, 2, 3))  # one by one its operations take long
    def _draw_bank(self, key: chex.PRNGKey, num_instances: int, split: str | None) -> Tables:
        drawn = draw_bank(key, num_instances, split, random_rules, self.held_out, name=self.name)
        return tables_of(drawn[:, 0], drawn[:, 1])

    def identity(self, instance: Any) -> jax.Array:
        """Where the dealer stands and how many tens there are, as indices."""
        if isinstance(instance, Tables):
            return jnp.stack([instance.stands, instance.tens])
        return jnp.asarray(instance)

    # -- gymnax --------------------------------------------------------------------------------

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: EnvParams) -> EnvState:
        """The dealer's card, and a hand of two."""
        draws = jax.random.uniform(written_out(key), (3,), jnp.float32)
        dealer, one, other = law.card_of(draws, params.bank.tens[instance])
        hand = jnp.asarray(OF_TWO)[one - 1, other - 1]
        return EnvState(time=jnp.int32(0), instance=instance, hand=hand, dealer=dealer)

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """One step, without auto-reset."""
        action = jnp.asarray(action, jnp.int32)
        draw = jax.random.uniform(written_out(key), dtype=jnp.float32)
        hand = law.drawn(state.hand, action, *self._dealt(state, params), draw)
        after, reward, terminated = self._land(state, hand)
        after = dataclasses.replace(after, time=state.time + 1)
        return self.observe(key, after, action, params), after, reward, terminated, {}

    def _dealt(
        self, state: EnvState, params: EnvParams
    ) -> tuple[jax.Array, jax.Array, law.Payments]:
        """What the law takes of an instance: its tens, the dealer's ends, what a natural is worth.

        Of the ends one row is read, that of the card shown.
        """
        finals = params.bank.finals[state.instance, state.dealer - 1]
        return params.bank.tens[state.instance], finals, self.pays

    def _land(self, state: EnvState, hand: jax.Array) -> tuple[EnvState, jax.Array, jax.Array]:
        """With another hand, or its end: `(state, reward, terminated)`."""
        is_end = hand >= LOST
        after = dataclasses.replace(state, hand=hand, dealer=jnp.where(is_end, 0, state.dealer))
        pay = law.pay_of(state.hand, hand, self.pays)
        return after, jnp.where(state.hand >= LOST, 0.0, pay), is_end

    def _rules(self, state: EnvState, params: EnvParams) -> Tables:
        """The state's instance."""
        return jax.tree.map(lambda leaf: leaf[state.instance], params.bank)

    def is_terminated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the hand is lost, drawn or won."""
        del params
        return state.hand >= LOST

    def is_solved(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the hand is won: success counts wins, and returns tell draws from losses."""
        del params
        return state.hand == WON

    @property
    def num_features(self) -> int:
        """Hand, dealer's card, and the instance."""
        return text.NUM_FEATURES

    def features(self, state: EnvState, params: EnvParams) -> jax.Array:
        """One-hot: total, kind, dealer's card, where the dealer stands, tens in the deck."""
        return text.features_of(self._rules(state, params), state.hand, state.dealer)

    def state_space(self, params: EnvParams) -> spaces.Dict:
        """The fields of `EnvState`."""
        fields = super().state_space(params).spaces
        own = {"hand": spaces.Discrete(WON + 1), "dealer": spaces.Discrete(11)}
        return spaces.Dict({**fields, **own})

    # -- text ----------------------------------------------------------------------------------

    @property
    def template(self) -> Template:
        """The wording at the top of this file."""
        return self._template

    @property
    def action_texts(self) -> tuple[str, ...]:
        """They continue "Answer"."""
        return text.ACTION_TEXTS

    def slots(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Where the dealer stands, the tens, then total, kind and dealer's card."""
        return text.slots_of(self._rules(state, params), state.hand, state.dealer)

    def render(self, state: EnvState, params: EnvParams) -> Picture:
        """The table: the dealer's cards, the hand, and the deck."""
        rules = jax.tree.map(np.asarray, self._rules(state, params))
        return draw_table(rules, int(state.hand), int(state.dealer))

    # -- law -----------------------------------------------------------------------------------

    def action_mask(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Both are legal."""
        del state, params
        return jnp.ones(2, bool)

    def transitions(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array]:
        """K = 10: a card each, or lost, drawn and won."""
        prob, hands = law.outcomes(state.hand, action, *self._dealt(state, params))
        return prob, *jax.vmap(lambda hand: self._land(state, hand))(hands)

    @property
    def num_states(self) -> int:
        """29 hands against 10 cards, and the three ends."""
        return NUM_STATES

    def state_index(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Hand by hand, then the ends."""
        del params
        return number_of(state.hand, state.dealer)

    def state_at(
        self, instance: jax.Array | int, index: jax.Array | int, params: EnvParams
    ) -> EnvState:
        """The state of that number, at time 0."""
        del params
        hand, dealer = of_number(jnp.int32(index))
        return EnvState(time=jnp.int32(0), instance=jnp.int32(instance), hand=hand, dealer=dealer)
