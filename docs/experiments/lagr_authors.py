"""What makes the paper's figures of cubes: its code's rules, one after another, in plain Python.

    python docs/experiments/lagr_authors.py

The paper's code reaches a return of 51 in episodes 2 to 5 by Q-learning, 80 by LaGR with 291
queries a trial, 75 by LaGR-SEQ with 130, and about 101 by all in the end. Here are eight cubes,
recorded answers and a table of the stack's height, with NumPy's random numbers and none of the
library. Rules are added in turn:

* `farmed`: a wrong cube is paid for before it is undone, as often as one likes. As
  `configs/cube_stacking_lagr_paper.yaml`, but nothing is random while a completion is followed.
* `difference`: a step's reward is its score less the score that the last step *showed*; what was
  paid for a wrong cube is then taken back.
* `explores`: the primary's ε counts while a completion is followed, too.

The second rule and the third were found by trying what brings the figures: nobody says them.
Writes `docs/results/lagr_authors.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import prose
import written
from lagr_pages import PAPER

from lprl_jax.results import comparison

OUT = written.ROOT / "docs/results/lagr_authors.json"
SEEDS, EPISODES, HORIZON = 100, 100, 50
TARGET = (4, 5, 6, 0, 1, 2, 3, 7)
"""Cubes from the bottom to the top: e f g a b c d h."""
RIGHT = (False, False, False, True, True, True, True, False, False)
"""Whether the recorded answer is right, by the height of the stack."""
EPSILONS = (1.0, 0.5, 1 / 6, 0.05)
"""Of the first episodes; then the last."""
ALPHA, GAMMA = 0.1, 0.95
EARLY = slice(1, 5)


class Rules(NamedTuple):
    """What differs."""

    difference: bool = False
    explores: bool = False


RULES = {
    "farmed": Rules(),
    "difference": Rules(difference=True),
    "difference, explores": Rules(difference=True, explores=True),
}


def is_legal(height: int, action: int) -> bool:
    """Action 0 removes the top, i stacks the i-th cube."""
    return height > 0 if action == 0 else TARGET.index(action - 1) >= height


def trial(learner: str, rules: Rules, seed: int) -> tuple[list[float], int]:
    """Returns of the episodes, and queries."""
    rng = np.random.default_rng(seed)
    q, q_ask = np.zeros((9, 9)), np.zeros((9, 2))
    returns, queries = [], 0
    for episode in range(EPISODES):
        epsilon = EPSILONS[min(episode, len(EPSILONS) - 1)]
        height = shown = score = 0
        holds, total = False, 0.0
        for _ in range(HORIZON):
            asks = learner == "LaGR"
            if learner == "LaGR-SEQ":
                explores = rng.random() < epsilon
                asks = bool(rng.integers(2) if explores else np.argmax(q_ask[height]))
            if not holds and asks and height > shown:
                queries, shown, holds = queries + 1, height, RIGHT[height]
                q_ask[height, 1] += ALPHA * ((1 if holds else -1) - q_ask[height, 1])
            elif not holds and not asks:
                q_ask[height, 0] += ALPHA * (0 - q_ask[height, 0])
            at_random = rng.random() < epsilon
            if holds and not (rules.explores and at_random):
                action = TARGET[min(height, 7)] + 1
            else:
                action = int(rng.integers(9) if at_random else np.argmax(q[height]))
                while not is_legal(height, action):
                    action = int(rng.integers(9))
            place = height - 1 if action == 0 else TARGET.index(action - 1)
            after = place + 1 if action and place == height else height
            after = max(height - 1, 0) if action == 0 else after
            is_wrong = action > 0 and place > height
            seen = after**2 + (height if is_wrong else 0)
            reward = seen - (score if rules.difference else height**2) + (8 in (height, after))
            if not holds:
                q[height, action] += ALPHA * (reward + GAMMA * q[after].max() - q[height, action])
            height, score, total = after, seen, total + reward
        returns.append(total)
    return returns, queries


def main() -> None:
    """Run all trials."""
    found: dict[str, Any] = {}
    for name, rules in RULES.items():
        found[name] = {}
        for learner in PAPER:
            trials = [trial(learner, rules, seed) for seed in range(SEEDS)]
            returns = np.array([own for own, _ in trials])
            queries = np.array([count for _, count in trials], float)
            found[name][learner] = {
                "early": _mean(returns[:, EARLY].mean(1)),
                "last": _mean(returns[:, -10:].mean(1)),
                "queries": _mean(queries),
            }
    written.write(OUT, {"seeds": SEEDS, "rows": found})


def _mean(values: np.ndarray) -> list[float]:
    """A mean and its standard error."""
    return [round(float(values.mean()), 3), round(float(values.std() / len(values) ** 0.5), 3)]


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """`lagr_authors`: learners by rules, beside the paper's code."""
    head = ["rules", "learner", "return in episodes 2 to 5", "paper's code", "in the last ten"]
    head += ["queries a trial", "paper's code"]
    lines = []
    for rules, rows in figures["rows"].items():
        for learner, row in rows.items():
            told = [f"{x}" for x in PAPER[learner]]
            own = [f"{row[x][0]:.1f} ± {row[x][1]:.1f}" for x in ("early", "last", "queries")]
            lines.append([rules, learner, own[0], told[0], own[1], own[2], told[1]])
    return {"lagr_authors": comparison.markdown(head, lines)}


def numbers(figures: Mapping[str, Any]) -> prose.Numbers:
    """What sentences quote: `RULES.LEARNER.early`, `.last`, `.queries`."""
    found: prose.Numbers = {"seeds": f"{figures['seeds']}"}
    for rules, rows in figures["rows"].items():
        for learner, row in rows.items():
            at = f"{prose.slug(rules)}.{prose.slug(learner)}"
            found |= {f"{at}.{x}": f"{row[x][0]:.0f}" for x in ("early", "last", "queries")}
    return found


if __name__ == "__main__":
    main()
