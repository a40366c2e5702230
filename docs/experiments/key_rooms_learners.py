"""Who learns in KeyRooms, by whose advice: the rows of `key_rooms`, and the settings it tries."""

from __future__ import annotations

from typing import NamedTuple

MODELS: tuple[str, ...] = ("embedded-judge",)
"""Language models that play as priors and as judges; without them the other rows are the same."""
ROOMS = (2, 3, 4)
RUNS, INSTANCES = 32, 8
"""Held-out instances of a row, one a run; training instances of a setting."""
STEPS = {2: 10_000, 3: 20_000, 4: 40_000}
"""Of a run, by rooms."""
SEARCHED = 3
"""Rooms that the search plays."""
EVERY = 500
"""Steps between two evaluations, in all rows."""
HALF = "HALF"
"""In the place of half of a run's steps."""
HABIT = "HABIT"
"""In the place of a file: a habit's verdicts, fitted on training instances of as many rooms."""
LEARNER = ("hidden_sizes=[]", "updates_per_rollout=5", f"epsilon_steps={HALF}")
NETWORK = ("hidden_sizes=[64,64]", "updates_per_rollout=1")
AT_ONCE = ("epsilon=0.02", "epsilon_steps=1")
"""Of who explores by values, and not by chance."""
RATES = "learning_rate=0.001,0.003,0.01"
ALPHAS = "alpha=0.0003,0.001,0.003,0.01,0.03,0.1"
SCALES = "shift_scale=0.003,0.01,0.03,0.1,0.3,1"
LARGE_SCALES = "shift_scale=0.03,0.1,0.3,1,3,10"
COSTS = "shift_scale=-0.0003,-0.001,-0.003,-0.01,-0.03,-0.1"
FALLING, LASTING = f"shift_steps={HALF}", "shift_steps=.inf"
PERFECT, PRAISE = "judge=perfect", "judge=always-good"
BY_STEP = (PERFECT, "judge_accuracy=0.7")
BY_STATE = (*BY_STEP, "judge_errors=state")
PENALTY, AHEAD = "shift_values=penalty", "shift_form=look_ahead"


class Search(NamedTuple):
    """Settings that are tried on the same training instances."""

    swept: tuple[str, ...]
    """Several values each, in one program."""
    common: tuple[str, ...] = ()
    """What every setting has."""
    programs: tuple[tuple[str, ...], ...] = ((),)
    """What is part of a setting, and cannot differ within a program."""
    judged_by: tuple[tuple[str, ...], ...] = ((),)
    """A setting's area is the mean over these."""


class Row(NamedTuple):
    """A learner."""

    search: str
    """Whose best setting it has."""
    own: tuple[str, ...] = ()
    """What it has besides."""


RAW_SCALE, PENALTY_SCALE, AHEAD_SCALE = "raw scale", "scale of penalties", "scale ahead"
COST = "cost of a step"
BASE, LAYERED, OPTIMIST, BONUS = "ε-greedy", "ε-greedy, network", "optimistic", "count bonus"
PRIORS = ("uniform", "habit", *MODELS)
SEARCHES = {
    BASE: Search((RATES,)),
    LAYERED: Search((RATES,), NETWORK),
    OPTIMIST: Search((RATES,), AT_ONCE, (("optimism=0.3",), ("optimism=1",))),
    BONUS: Search(
        (RATES,), (), tuple((f"count_bonus={b}",) for b in (0.001, 0.003, 0.01, 0.03, 0.1))
    ),
    **{f"{name} prior": Search((RATES, ALPHAS), (f"prior={name}",)) for name in PRIORS},
    RAW_SCALE: Search((SCALES,), (), ((FALLING,), (LASTING,)), ((PERFECT,), BY_STEP, BY_STATE)),
    PENALTY_SCALE: Search((SCALES,), (PERFECT, PENALTY)),
    AHEAD_SCALE: Search((LARGE_SCALES,), (PERFECT, AHEAD)),
    COST: Search((COSTS,), (PRAISE,)),
}
"""A judged learner has the learning rate that was found without a judge."""
JUDGED = {RAW_SCALE: (), PENALTY_SCALE: (PENALTY,), AHEAD_SCALE: (AHEAD,), COST: (PRAISE,)}
"""What rows with a judge have by their form."""
ROWS = {
    **{name: Row(name) for name in (BASE, LAYERED, OPTIMIST, BONUS)},
    **{f"{name} prior (DQN-Prior)": Row(f"{name} prior") for name in PRIORS},
    "perfect judge": Row(RAW_SCALE, (PERFECT,)),
    "perfect judge, penalties alone": Row(PENALTY_SCALE, (PERFECT,)),
    "perfect judge, looking ahead": Row(AHEAD_SCALE, (PERFECT,)),
    "70 % right judge, errors by step": Row(RAW_SCALE, BY_STEP),
    "70 % right judge, errors by state": Row(RAW_SCALE, BY_STATE),
    "70 % right judge, errors by step, penalties alone": Row(PENALTY_SCALE, BY_STEP),
    "70 % right judge, errors by state, penalties alone": Row(PENALTY_SCALE, BY_STATE),
    "always good": Row(RAW_SCALE, (PRAISE,)),
    "always bad": Row(COST),
    "habit as judge": Row(RAW_SCALE, (f"judge={HABIT}",)),
    "habit as judge, penalties alone": Row(PENALTY_SCALE, (f"judge={HABIT}",)),
    "adversarial judge": Row(RAW_SCALE, (PERFECT, "judge_adversarial=true")),
    **{
        f"{model} as judge {how}{form}": Row(scale, (f"judge={model}", f"judge_says={says}"))
        for model in MODELS
        for how, says in (("by action", "action"), ("in words", "words"))
        for form, scale in (("", RAW_SCALE), (", penalties alone", PENALTY_SCALE))
    },
}
FOLLOWED = {
    "in words": ("judge=embedded-judge", "judge_says=words"),
    "by action": ("judge=embedded-judge", "judge_says=action"),
    "by chance": ("judge=uniform",),
}
"""Judges that are followed, with nothing learnt."""
