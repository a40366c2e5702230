"""Who learns in the papers' own worlds: the rows of `home`, and the settings it tries."""

from __future__ import annotations

from typing import NamedTuple

MODEL = "embedded-home"
MODELS: tuple[str, ...] = (MODEL,)
RUNS, INSTANCES = 32, 8
"""Held-out instances of a row, one a run; training instances of a setting."""
EPISODES = 8
"""Of an evaluation, a run."""
SELDOM = 5
"""A search evaluates at every fifth of the rows' evaluations."""
ALONE = 64
"""Episodes a run of who does not learn."""


class World(NamedTuple):
    """Where is learnt."""

    title: str
    """For tables."""
    configs: str
    """First part of the configs' names."""
    own: tuple[str, ...]
    """What they are changed by."""
    steps: int
    """Of every run."""
    every: int
    """Steps between two evaluations, in all rows."""
    lacks: tuple[str, ...] = ()
    """Searches, and rows of their names, that it does not have."""


class Search(NamedTuple):
    """Settings that are tried on the same training instances: nine, or more."""

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


TABLE = "DQN, optimistic table"
"""Where states are numbered: a value a state and action, and what was not tried looks good."""
WORLDS = {
    "tomato": World(
        "Overcooked, tomato kitchen", "overcooked", ("env_params.kitchen=tomato",), 5_000, 50
    ),
    "salad": World("Overcooked, salad kitchen, taught dishes", "overcooked", (), 20_000, 100),
    "pick": World("Household, small kitchen, pick", "household", (), 20_000, 250, (TABLE,)),
}
RATES = "learning_rate=0.001,0.003,0.01"
EXPLORATION = "epsilon_steps=300,1000,3000,10000"
ENTROPIES = "entropy_coef=0.03,0.1,0.3,1"
ALPHAS = "alpha=0.01,0.03,0.1"
WEIGHTS = "alpha=0.1,0.3,1"
PLAIN = ("prior_access=live",)
"""Of priors that ask no model."""
HABIT, UNIFORM = ("prior=habit", *PLAIN), ("prior=uniform", *PLAIN)
SEARCHES = {
    "DQN": Search("dqn", ("learning_rate=0.0003,0.001,0.003,0.01", EXPLORATION)),
    TABLE: Search(
        "dqn",
        ("learning_rate=0.001,0.003,0.01,0.03", "epsilon_steps=1,1000,3000,10000"),
        ("hidden_sizes=[]", "env_params.observation=index", "optimism=0.3"),
    ),
    "PPO": Search("ppo", (RATES, ENTROPIES)),
    "DQN-Prior": Search("dqn_prior", (RATES, ALPHAS)),
    "DQN-Prior, habit": Search("dqn_prior", (RATES, ALPHAS), HABIT),
    "DQN-Prior, uniform": Search("dqn_prior", (RATES, ALPHAS), UNIFORM),
    "KL-PPO": Search("kl_ppo", (RATES, WEIGHTS)),
    "KL-PPO, habit": Search("kl_ppo", (RATES, WEIGHTS), HABIT),
    "KL-PPO, uniform": Search("kl_ppo", (RATES, WEIGHTS), UNIFORM),
}
"""A learner is tried at three learning rates, and at three values of how it explores; DQN and PPO,
against which the others are held, at more."""
WITH_MODEL = f"DQN-Prior, {MODEL}"
"""The row of which it is told how often the model ran."""
ROWS = {
    "DQN": Row("DQN"),
    TABLE: Row(TABLE),
    "PPO": Row("PPO"),
    WITH_MODEL: Row("DQN-Prior"),
    "DQN-Prior, half uniform": Row("DQN-Prior", ("prior_epsilon=0.5",)),
    "DQN-Prior, habit": Row("DQN-Prior, habit"),
    "DQN-Prior, uniform": Row("DQN-Prior, uniform"),
    "DQN-Prior, adversarial": Row("DQN-Prior", ("prior_adversarial=true",)),
    f"KL-PPO, {MODEL}": Row("KL-PPO"),
    "KL-PPO, habit": Row("KL-PPO, habit"),
    "KL-PPO, uniform": Row("KL-PPO, uniform"),
}
"""Half uniform and adversarial have the settings that were found with the model itself."""
PRIORS = {
    MODEL: (),
    "half uniform": ("prior_epsilon=0.5",),
    "habit": HABIT,
    "uniform": UNIFORM,
    "adversarial": ("prior_adversarial=true",),
}
"""Who plays alone, by what `prior_only` is changed."""
