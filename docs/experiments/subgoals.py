"""SLINVIT over sub-goals on PlanBench's two customary suites, beside SLINVIT over actions.

`python docs/experiments/subgoals.py [--tables DIR]` writes `docs/results/subgoals.json`. With a
directory the model's tables are kept there, and used again; those of `slinvit.py` serve.

A sub-goal, "put this block there", is two actions of the hand. Both searches have the same budget
of actions, one more than a shortest plan has, and are judged by the same rules, in `slinvit.play`.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import prose
import slinvit
import slinvit_numbers
import slinvit_tables
import written
from lprl_envs import BlocksWorldSubgoals
from lprl_envs.blocks_world.rules import HAND, moves
from lprl_envs.blocks_world.states import numbered_state, with_empty_hand
from lprl_envs.blocks_world.subgoals import ACTIONS, subgoals
from slinvit import Bank, Figures

from lprl_jax import TabularPrior, degrade, tabulate
from lprl_jax.algorithms.tabular.value_iteration import law_of
from lprl_jax.results import comparison, statistics

OUT = Path(__file__).parents[1] / "results" / "subgoals.json"
HAND_ENV, ENV = slinvit_tables.ENV, BlocksWorldSubgoals(slinvit_tables.BLOCKS)
SUITES, SEEDS = slinvit.SUITES, slinvit.SEEDS
DEPTHS, KS = (1, 2), (1, 2, 3, 5)
DEEPER = ((3, 2), (4, 2))
"""Depth and k of searches without a prior; four actions reach as far as two sub-goals."""
MODEL = "embedded"
PAIRS = f"{MODEL}, action by action"
K = 3
"""The paper's."""
_KINDS = {"actions": "actions", "subgoals": "sub-goals"}


def main() -> None:
    """Write the figures."""
    parser = argparse.ArgumentParser(description="SLINVIT over sub-goals.")
    parser.add_argument("--tables", type=Path, help="keep the model's tables in this directory")
    written.write(OUT, measure(parser.parse_args().tables), [MODEL])


def measure(folder: Path | None) -> Figures:
    """Everything that the tables show."""
    rows = slinvit_tables.instances_of(SUITES)
    by_hand = slinvit_tables.of_model(MODEL, rows, folder)
    unseen = slinvit_tables.of_model(MODEL, rows, folder, ENV)
    over_actions = slinvit.bank_of(rows)
    over_subgoals = slinvit.bank_of(rows, ENV, ACTIONS)
    return {
        "instances": {suite: int(np.sum(over_actions.of(suite))) for suite in SUITES},
        "held_out": {
            suite: int(np.sum(over_actions.held_out[over_actions.of(suite)])) for suite in SUITES
        },
        "seeds": SEEDS,
        "evaluations": {"actions": by_hand.evaluations, "subgoals": unseen.evaluations},
        "actions": _searches(
            over_actions,
            {**_and_worse(over_actions, by_hand), "habit": slinvit_tables.of_habit(rows)},
        ),
        "subgoals": _searches(
            over_subgoals,
            {
                **_and_worse(over_subgoals, through_actions(by_hand)),
                **_and_worse(over_subgoals, unseen),
                "habit": slinvit_tables.of_habit(rows, ENV),
            },
        ),
    }


def _and_worse(bank: Bank, prior: TabularPrior) -> dict[str, TabularPrior]:
    """A prior and its controls, all of them tables."""
    worse = {
        prior.name: prior,
        f"{prior.name}, half uniform": degrade(prior, epsilon=0.5),
        f"{prior.name}, adversarial": degrade(prior, adversarial=True),
        "uniform": degrade(prior, epsilon=1.0),
    }
    return {name: tabulate(each, bank.env, bank.params) for name, each in worse.items()}


def _searches(bank: Bank, priors: dict[str, TabularPrior]) -> dict[str, list[Figures]]:
    """The heuristic proposing, and k draws of each prior."""
    settings = list(itertools.product(DEPTHS, KS))
    return {
        "heuristic": [
            {"depth": d, "k": k, **slinvit.play(bank, None, depth=d, k=k, proposals="heuristic")}
            for d, k in (*settings, *DEEPER)
        ],
        "drawn": [
            {"prior": name, "depth": d, "k": k, **slinvit.play(bank, prior, depth=d, k=k)}
            for d, k in settings
            for name, prior in priors.items()
        ],
    }


def through_actions(prior: TabularPrior) -> TabularPrior:
    """A prior over actions as one over sub-goals: to take the block up, then to lay it there.

    What it gives to laying a block back where it lay is shared out among the others in proportion.
    """
    n = slinvit_tables.BLOCKS
    numbers = with_empty_hand(n)
    on = np.asarray(jax.vmap(lambda number: numbered_state(number, n))(numbers))
    block, target = subgoals(n)
    law = law_of(HAND_ENV, HAND_ENV.default_params, jnp.int32(0))
    # The action that takes each block up where it lies, [E, n]; laying down is n + the sub-goal.
    takes = (moves(n).target == HAND) & (moves(n).source == on[..., None])
    take = (takes & (moves(n).block == np.arange(n)[:, None])).argmax(-1)[:, block]
    held = np.asarray(law.next_state)[numbers[:, None], take, 0]
    first = np.asarray(prior.table)[:, numbers[:, None], take]
    second = np.asarray(prior.table)[:, held, n + np.arange(n * n)]
    both = jnp.where(on[:, block] == target, -jnp.inf, first + second)
    return TabularPrior(ENV, jax.nn.log_softmax(both, axis=-1), PAIRS, prior.evaluations)


def tables(figures: Figures) -> dict[str, str]:
    """The tables of the page."""
    return {
        "subgoals-heuristic": _without_a_prior(figures),
        "subgoals-priors": _priors(figures),
        "subgoals-effort": _effort(figures),
        "subgoals-held-out": _held_out(figures),
    }


def numbers(figures: Figures) -> prose.Numbers:
    """What sentences quote: `subgoals.drawn.embedded.6.d1.k3`, `actions.heuristic.6.d1.k2`."""
    found = slinvit_numbers.of_suites(figures)
    found |= {f"evaluations.{x}": prose.count(n) for x, n in figures["evaluations"].items()}
    for kind in _KINDS:
        for what in ("heuristic", "drawn"):
            found |= slinvit_numbers.of_searches(f"{kind}.{what}", figures[kind][what])
    return found


def _without_a_prior(figures: Figures) -> str:
    """The two children of highest value."""
    head = ["steps", "depth"]
    head += [f"{suite}: {x}" for suite in SUITES for x in ("solved", "nodes", "values computed")]
    rows = []
    for (kind, steps), depth in itertools.product(_KINDS.items(), (1, 2, 3, 4)):
        cells = [steps, f"{depth}"]
        for suite in SUITES:
            row = slinvit.find(figures[kind]["heuristic"], depth, 2)[suite]
            cells += [f"{row['solved']}/{figures['instances'][suite]}"]
            cells += [f"{row[name]:.1f}" for name in ("nodes", "valuations")]
        rows.append(cells)
    return comparison.markdown(head, rows)


def _proposers(figures: Figures, kind: str) -> list[tuple[str, Sequence[Figures], str | None]]:
    """Every prior, and the heuristic in its place: what it is called, its figures, its name."""
    drawn = figures[kind]["drawn"]
    names = dict.fromkeys(row["prior"] for row in drawn)
    rule = ("the heuristic, no prior", figures[kind]["heuristic"], None)
    return [*((name, drawn, name) for name in names), rule]


def _priors(figures: Figures) -> str:
    """The paper's k."""
    head = ["steps", "proposed by", *(f"{s}, depth {d}" for s in SUITES for d in DEPTHS)]
    rows = [
        [steps, label]
        + [slinvit.cell(slinvit.find(own, d, K, name)[suite]) for suite in SUITES for d in DEPTHS]
        for kind, steps in _KINDS.items()
        for label, own, name in _proposers(figures, kind)
    ]
    return comparison.markdown(head, rows)


def _held_out(figures: Figures) -> str:
    """The paper's k, one step ahead: all instances, and those held out."""
    head = ["steps", "proposed by"]
    for suite in SUITES:
        count = figures["instances"][suite], figures["held_out"][suite]
        head += [f"{suite}: all {count[0]}", f"held out {count[1]}"]
    rows = [
        [steps, label]
        + [
            comparison.interval(statistics.Interval(*slinvit.find(own, 1, K, name)[suite][share]))
            for suite in SUITES
            for share in ("success", "held_out")
        ]
        for kind, steps in _KINDS.items()
        for label, own, name in _proposers(figures, kind)
    ]
    return comparison.markdown(head, rows)


def _effort(figures: Figures) -> str:
    """The six-step suite: what is solved, and what it takes."""
    suite = SUITES[1]
    head = ["depth", "k"]
    for steps, name in (("actions", MODEL), ("sub-goals", PAIRS)):
        head += [f"{steps}: {name}", "nodes", "asked about"]
    head += [f"sub-goals: {MODEL}", "sub-goals: uniform"]
    for steps in _KINDS.values():
        head += [f"{steps}: heuristic", "nodes", "values computed"]
    rows = []
    for depth, k in itertools.product(DEPTHS, KS):
        cells = [f"{depth}", f"{k}"]
        for kind, name in (("actions", MODEL), ("subgoals", PAIRS)):
            row = slinvit.find(figures[kind]["drawn"], depth, k, name)[suite]
            cells += [slinvit.cell(row), f"{row['nodes']:.1f}", f"{row['expanded']:.1f}"]
        own = figures["subgoals"]["drawn"]
        cells += [
            slinvit.cell(slinvit.find(own, depth, k, name)[suite]) for name in (MODEL, "uniform")
        ]
        for kind in _KINDS:
            row = slinvit.find(figures[kind]["heuristic"], depth, k)[suite]
            cells += [f"{row['success'][0]:.2f}", f"{row['nodes']:.1f}", f"{row['valuations']:.1f}"]
        rows.append(cells)
    return comparison.markdown(head, rows)


if __name__ == "__main__":
    main()
