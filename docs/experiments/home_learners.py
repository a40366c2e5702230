"""Who learns in the papers' own worlds: the rows of `home`, and the settings it tries."""

from __future__ import annotations

from typing import NamedTuple

MODEL = "embedded-home"
MODELS: tuple[str, ...] = (MODEL,)
RUNS, INSTANCES = 32, 8
"""Held-out instances of a row, one a run; training instances of a setting."""
EPISODES = 8
"""Of an evaluation, a run."""


class World(NamedTuple):
    """Where is learnt."""

    title: str
    """For tables."""
    configs: str
    """First part of the configs' names."""
    own: tuple[str, ...]
    """What they are changed by."""
    steps: int
    """Of a run whose prior asks a model."""
    more: int
    """Of any other run."""
    every: int
    """Steps between two evaluations, in all rows."""


class Search(NamedTuple):
    """Settings that are tried on the same training instances: as many for each learner."""

    config: str
    """Last part of its name."""
    swept: tuple[str, ...]
    """Several values each, in one program."""
    common: tuple[str, ...] = ()
    """What every setting has."""


class Row(NamedTuple):
    """A learner."""

    search: str
    """Whose best setting it has."""
    own: tuple[str, ...] = ()
    """What it has besides."""


WORLDS = {
    "tomato": World(
        "Overcooked, tomato", "overcooked", ("env_params.kitchen=tomato",), 5_000, 20_000, 250
    ),
    "salad": World("Overcooked, salad", "overcooked", (), 5_000, 60_000, 250),
    "pick": World("Household, small kitchen, pick", "household", (), 5_000, 60_000, 250),
}
RATES = "learning_rate=0.001,0.003,0.01"
GAMMAS = "gamma=0.9,0.95,0.99"
ALPHAS = "alpha=0.01,0.03,0.1"
WEIGHTS = "alpha=0.1,0.3,1"
PLAIN = ("prior_access=live",)
"""Of priors that ask no model."""
SEARCHES = {
    "DQN": Search("dqn", (RATES, GAMMAS)),
    "PPO": Search("ppo", (RATES, GAMMAS)),
    "DQN-Prior": Search("dqn_prior", (RATES, ALPHAS)),
    "DQN-Prior, habit": Search("dqn_prior", (RATES, ALPHAS), ("prior=habit", *PLAIN)),
    "DQN-Prior, uniform": Search("dqn_prior", (RATES, ALPHAS), ("prior=uniform", *PLAIN)),
    "KL-PPO": Search("kl_ppo", (RATES, WEIGHTS)),
    "KL-PPO, uniform": Search("kl_ppo", (RATES, WEIGHTS), ("prior=uniform", *PLAIN)),
}
ROWS = {
    "DQN": Row("DQN"),
    "PPO": Row("PPO"),
    f"DQN-Prior, {MODEL}": Row("DQN-Prior"),
    "DQN-Prior, half uniform": Row("DQN-Prior", ("prior_epsilon=0.5",)),
    "DQN-Prior, habit": Row("DQN-Prior, habit"),
    "DQN-Prior, uniform": Row("DQN-Prior, uniform"),
    "DQN-Prior, adversarial": Row("DQN-Prior", ("prior_adversarial=true",)),
    f"KL-PPO, {MODEL}": Row("KL-PPO"),
    "KL-PPO, habit": Row("KL-PPO", ("prior=habit", *PLAIN)),
    "KL-PPO, uniform": Row("KL-PPO, uniform"),
}
