"""Household by options: an action is an errand, and the room's own actions do it.

* Options are in `options`: to look into a receptacle, to take, make clean, hot or cool, put, and to
  use the lamp. They are one to three actions long; the rest is `lprl_envs.options`'s.
* Time limit: 16 options, which are never more than the room's 50 actions.
"""

from __future__ import annotations

from collections.abc import Sequence

import chex
import jax

from lprl_envs.household.env import Household
from lprl_envs.household.kits import Kit
from lprl_envs.household.options import COMMANDS, RoomOptions, most_legal
from lprl_envs.household.states import EnvParams, EnvState
from lprl_envs.options import OverOptions


class HouseholdOptions(OverOptions[EnvState, EnvParams]):
    """A room of a house, an errand a step.

    Args:
        room: As of `Household`, like the following.
        split_by: `"goal"` or `"content"`.
        illegal_reward: Of an illegal option.
        observation: `"features"` or `"tokens"`.

    Raises:
        InvalidInput: on any argument out of these.
    """

    def __init__(
        self,
        room: str = "kitchen-small",
        split_by: str = "goal",
        illegal_reward: float = 0.0,
        observation: str = "features",
    ):
        self.house = Household(room, COMMANDS, split_by, illegal_reward, observation)
        name, options = "HouseholdOptions-lprl", RoomOptions(self.house.room)
        super().__init__(self.house, options, name, self.house.illegal_reward)
        self.config = (self.house.room, split_by, self.illegal_reward, observation)

    @property
    def kit(self) -> Kit:
        """The room's constants."""
        return self.house.kit

    @property
    def max_legal(self) -> int:
        """A look into all that is there, and what may be done with what is known or held."""
        return most_legal(self.house.room)

    def sample_params(
        self,
        key: chex.PRNGKey,
        num_instances: int,
        split: str | None = None,
        families: Sequence[str] = (),
        split_by: str | None = None,
    ) -> EnvParams:
        """A bank of random rooms: those of `Household` with this key, drawn as there."""
        drawn = self.house.sample_params(key, num_instances, split, families, split_by)
        return self.limited(drawn)

    def steps_left(self, state: EnvState, params: EnvParams) -> jax.Array:
        """`i32[]`: actions of a shortest plan, as of `Household`; no options are shorter."""
        return self.house.steps_left(state, params)
