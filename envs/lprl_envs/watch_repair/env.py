"""Watch repair: one decision whose price is paid fifty noisy steps later.

Reference: RUDDER (arXiv 1806.07857), whose program's law this is; LMGT (arXiv 2409.04744).

* A watch of one of four brands, each as likely, is brought to a shop, 50 steps away.
* At the first step action 0 has it repaired, action 1 does not; then only action 1 is legal.
* At each step there is a jam with probability .1, and a flat tyre with .05, repaired or not.
* The repair's cost is drawn and paid at once. All else is paid at the last step, and only if the
  watch was repaired: its price, less .1 for every jam, 7 for every flat tyre, and the delivery's
  cost, which is drawn. Costs are normal. Nothing is paid on the way: the delay is the task.
* The episode terminates with the 50th step.

What repairing gains on average is the margin, price less repair, delivery and 18. The reward is
noisy (`reward_noise`): `transitions` gives its means. A state reads

    I carry a watch to a shop, 50 steps away. Before I leave I may have it repaired. [...]
    Brand 2. Price 31, repair 5, delivery 4.5, trip 18.
    It is not repaired yet: decide now. Step 0 of 50, jams 0, flat tyres 0.
    Answer

Brands are in `brands`, states and their numbers in `states`, the law in `law`.
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

from lprl_envs.banks import draw_bank, draw_instance, made_once
from lprl_envs.observations import require_mode
from lprl_envs.render import Picture
from lprl_envs.template import Template
from lprl_envs.text_env import TextEnv
from lprl_envs.text_env_data import Action
from lprl_envs.threefry import written_out
from lprl_envs.watch_repair import law, text
from lprl_envs.watch_repair.brands import (
    NUM_BRANDS,
    PAPER,
    Brands,
    bank_of,
    is_any_held_out,
    margins_of,
    random_brands,
)
from lprl_envs.watch_repair.picture import draw_watch
from lprl_envs.watch_repair.states import (
    NUM_STATES,
    STEPS,
    EnvParams,
    EnvState,
    number_of,
    of_number,
)

LIMIT = STEPS + 1
"""Steps; none is cut off, for the law ends an episode at 50."""


class WatchRepair(TextEnv[EnvState, EnvParams]):
    """Watch repair.

    Args:
        observation: `"features"` f32[11], the brand, its numbers, repaired or not, and the trip so
            far; `"tokens"` i32[8], the words of the state's text, numbered by the template's
            vocabulary; `"index"` i32[] of the state; `"onehot"` f32[364204] of it.

    Raises:
        InvalidInput: on any other observation.
    """

    version = 1
    reward_noise = True
    planning_discount = 1.0
    suites = ("rudder",)

    def __init__(self, observation: str = "features"):
        require_mode(observation, is_numbered=True, limit="")
        self.observation = observation
        self.config = (observation,)

    @property
    def name(self) -> str:
        """The registered id."""
        return "WatchRepair-lprl"

    @property
    def num_actions(self) -> int:
        """Repair, and leave."""
        return 2

    @property
    @made_once
    def default_params(self) -> EnvParams:
        """The paper's brands."""
        return self.params_of([PAPER])

    def params_of(self, instances: Sequence[Any]) -> EnvParams:
        """Parameters with these brands (see `brands.bank_of`) as the bank."""
        return EnvParams.of_all(bank_of(instances), limit=LIMIT)

    def suite(self, name: str) -> EnvParams:
        """RUDDER's four brands."""
        return self.default_params if name in self.suites else super().suite(name)

    def sample_params(
        self, key: chex.PRNGKey, num_instances: int, split: str | None = None
    ) -> EnvParams:
        """A bank of random brands, with margins from .5 to 6 of either sign, drawn in the graph.

        Args:
            key: Random key.
            num_instances: M.
            split: `"train"`, `"held-out"`, or None for both.
        """
        return EnvParams.of_all(self._draw_bank(key, num_instances, split), limit=LIMIT)

    @functools.partial(jax.jit, static_argnums=(0, 2, 3))  # one by one its operations take long
    def _draw_bank(self, key: chex.PRNGKey, num_instances: int, split: str | None) -> Brands:
        return draw_bank(key, num_instances, split, random_brands, self.held_out, name=self.name)

    def identity(self, instance: Brands) -> jax.Array:
        """All numbers of the four brands."""
        return jnp.stack([getattr(instance, name) for name in PAPER])

    def split_hash(self, instance: Brands) -> jax.Array:
        """0, held out, if one of the brands is by its costs, else 1: prices and order go along."""
        return (~is_any_held_out(instance)).astype(jnp.uint32)

    # -- gymnax --------------------------------------------------------------------------------

    def initial_state(self, key: chex.PRNGKey, instance: jax.Array, params: EnvParams) -> EnvState:
        """A watch of any brand."""
        del params
        brand = draw_instance(key, jnp.arange(NUM_BRANDS, dtype=jnp.int32))
        return dataclasses.replace(of_number(jnp.int32(0), instance), brand=brand)

    def step_env(
        self, key: chex.PRNGKey, state: EnvState, action: Action, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array, dict[Any, Any]]:
        """One step, without auto-reset."""
        action = jnp.asarray(action, jnp.int32)
        key_trip, key_money = jax.random.split(written_out(key))
        draws = jax.random.uniform(key_trip, (2,), jnp.float32)
        noise = jax.random.normal(key_money, dtype=jnp.float32)
        after = law.advance(state, action, draws[0] < law.JAM, draws[1] < law.TYRE)
        reward = law.reward(state, action, after, self._brands(state, params), noise)
        after = dataclasses.replace(after, time=state.time + 1)
        terminated = self.is_terminated(after, params)
        return self.observe(key, after, action, params), after, reward, terminated, {}

    def _brands(self, state: EnvState, params: EnvParams) -> Brands:
        """The state's instance, `[4]` leaves."""
        return jax.tree.map(lambda leaf: leaf[state.instance], params.bank)

    def is_terminated(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the trip is over."""
        del params
        return state.clock == STEPS

    def is_solved(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Whether the decision was right: repaired where that gains, left where it loses.

        It is judged by the margin, not by what chance made of it.
        """
        margin = margins_of(self._brands(state, params))[state.brand]
        is_right = jnp.where(state.repaired, margin >= 0, margin <= 0)
        return (state.clock > 0) & is_right

    @property
    def num_features(self) -> int:
        """Brand, its numbers, the decision, the trip."""
        return text.NUM_FEATURES

    def features(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Brand as one-hot; price, repair, delivery; repaired or not; steps, jams, flat tyres."""
        return text.features_of(self._brands(state, params), state)

    def state_space(self, params: EnvParams) -> spaces.Dict:
        """The fields of `EnvState`."""
        fields = super().state_space(params).spaces
        trip = {name: spaces.Discrete(STEPS + 1) for name in ("clock", "jams", "tyres")}
        watch = {"brand": spaces.Discrete(NUM_BRANDS), "repaired": spaces.Discrete(2)}
        return spaces.Dict({**fields, **watch, **trip})

    # -- text ----------------------------------------------------------------------------------

    @property
    def template(self) -> Template:
        """The wording at the top of this file."""
        return text.TEMPLATE

    @property
    def action_texts(self) -> tuple[str, ...]:
        """They continue "Answer"."""
        return text.ACTION_TEXTS

    def slots(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Brand, price, repair, delivery, the decision, then steps, jams and flat tyres."""
        return text.slots_of(self._brands(state, params), state)

    def render(self, state: EnvState, params: EnvParams) -> Picture:
        """The watch and the road."""
        return draw_watch(
            jax.tree.map(np.asarray, self._brands(state, params)),
            *(int(state.brand), bool(state.repaired)),
            *(int(x) for x in (state.clock, state.jams, state.tyres)),
        )

    # -- law -----------------------------------------------------------------------------------

    def action_mask(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Both at the first step, then only action 1."""
        del params
        return jnp.stack([state.clock == 0, jnp.bool_(True)])

    def transitions(
        self, state: EnvState, action: jax.Array, params: EnvParams
    ) -> tuple[jax.Array, EnvState, jax.Array, jax.Array]:
        """K = 4: with a jam or without, with a flat tyre or without. Rewards are means."""
        jam, tyre = jnp.array([False, False, True, True]), jnp.array([False, True, False, True])
        chance = jnp.where(jam, law.JAM, 1 - law.JAM) * jnp.where(tyre, law.TYRE, 1 - law.TYRE)
        after = jax.vmap(lambda *chances: law.advance(state, action, *chances))(jam, tyre)
        brands = self._brands(state, params)
        mean = jax.vmap(lambda s: law.reward(state, action, s, brands, jnp.float32(0)))(after)
        ended = jax.vmap(lambda s: self.is_terminated(s, params))(after)
        return chance.astype(jnp.float32), after, mean, ended

    @property
    def num_states(self) -> int:
        """Four before the decision, 8 (t + 1)^2 after t steps."""
        return NUM_STATES

    def state_index(self, state: EnvState, params: EnvParams) -> jax.Array:
        """Step by step; then by brand, repaired or not, jams, flat tyres."""
        del params
        return number_of(state)

    def state_at(
        self, instance: jax.Array | int, index: jax.Array | int, params: EnvParams
    ) -> EnvState:
        """The state of that number, at time 0."""
        del params
        return of_number(jnp.int32(index), jnp.int32(instance))
