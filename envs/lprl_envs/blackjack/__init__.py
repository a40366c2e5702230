"""Blackjack: Gymnasium's law, with other dealers and decks as instances.

`env` is the environment; `hands` numbers the hands, `dealer` works out the dealer's play, `law`
what an action does, `instances` are dealers and decks, `states` its states, `text` the wording,
`picture` how it is drawn.
"""

from lprl_envs.blackjack.env import Blackjack
from lprl_envs.blackjack.hands import DRAWN, HANDS, LOST, NATURAL, WON
from lprl_envs.blackjack.law import HIT, STICK
from lprl_envs.blackjack.states import EnvParams, EnvState

__all__ = [
    "DRAWN",
    "HANDS",
    "HIT",
    "LOST",
    "NATURAL",
    "STICK",
    "WON",
    "Blackjack",
    "EnvParams",
    "EnvState",
]
