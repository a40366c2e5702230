"""When recorded answers are accepted on the paper's objects, against trials in NumPy."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import ObjectArrangement

from lprl_jax import Data, lagr
from lprl_jax.completers import Recorded

DIAMOND = np.array([2, 6, 8, 10, 14, 16, 18, 22])
P = (0.0, 0.0, 1 / 28, 7 / 40, 16 / 36, 13 / 23, 1.0, 1.0, 1.0)
"""Of an accepted answer, by objects placed: what the authors recorded, and 1 above."""
HORIZON, EPISODES, TRIALS = 50, 6, 256
LONGEST = HORIZON * EPISODES
ENV = ObjectArrangement("5x5")

Rule = Callable[[Any, int, bool], bool]
"""`(rng, steps so far, whether the state differs from the last one asked) -> whether it asks`"""


def twin(rule: Rule, trials: int) -> np.ndarray:
    """`[trials, 2]`: steps to an accepted answer, at most LONGEST, and questions till then."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(trials):
        coins: dict[frozenset[int], bool] = {}
        placed, last, asked, t = frozenset[int](), None, 0, 0
        while t < LONGEST:
            if rule(rng, t, placed != last):
                asked, last = asked + 1, placed
                if coins.setdefault(placed, bool(rng.random() < P[len(placed)])):
                    break
            offered = int(rng.integers(25))
            if rng.random() < 0.5 and offered in DIAMOND:
                placed |= {offered}
            t += 1
            if t % HORIZON == 0 or len(placed) == len(DIAMOND):
                placed = frozenset()
        found.append((t, asked))
    return np.array(found, float)


RULES: dict[str, tuple[dict[str, Any], Rule]] = {
    "always": ({"schedule": "always", "eligible": "any"}, lambda rng, t, changed: True),
    "on change": ({"schedule": "on_change", "eligible": "any"}, lambda rng, t, changed: changed),
    "random": (
        {"schedule": "random", "ask_probability": 0.1, "eligible": "any"},
        lambda rng, t, changed: rng.random() < 0.1,
    ),
    "every": (
        {"schedule": "every", "ask_every": 10, "eligible": "any"},
        lambda rng, t, changed: t % 10 == 9,
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_steps_and_queries_are_those_of_a_twin(name: str) -> None:
    own, rule = RULES[name]
    config = lagr.LaGRConfig(
        keep="trial", epsilon=1.0, hidden_sizes=(), rollout_length=HORIZON, buffer_size=HORIZON,
        batch_size=1, **own,
    )  # fmt: skip
    completer = Recorded.of(ENV)
    algorithm = lagr.make(config, ENV, None, completer)
    data = Data((), ENV.default_params, completer_params=completer.params)
    keys = jax.random.split(jax.random.key(1), TRIALS)
    only = jnp.zeros((TRIALS, 1), jnp.int32)
    state = algorithm.init(keys, config.hparams(TRIALS), data, only)
    state, seen = algorithm.train(state, data, EPISODES)
    first = np.asarray(state.guide.first)
    steps = np.where(first < 0, LONGEST, first)
    ours = np.stack([steps, np.asarray(seen["asked"]).sum(0)], axis=1).astype(float)
    theirs = twin(rule, 2_000)
    error = np.sqrt(ours.var(0) / len(ours) + theirs.var(0) / len(theirs))
    assert (np.abs(ours.mean(0) - theirs.mean(0)) < 3.5 * error).all(), (
        ours.mean(0),
        theirs.mean(0),
    )
    assert ours[:, 0].min() >= 2  # of one object or none no answer is right
