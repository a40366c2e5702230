"""Modules that have moved: their old names work for one release, and warn, naming the new ones."""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED = {
    "lprl_jax.algorithms.actor_critic": "lprl_jax.algorithms.policy_based.actor_critic",
    "lprl_jax.algorithms.bc": "lprl_jax.algorithms.value_based.bc",
    "lprl_jax.algorithms.control": "lprl_jax.algorithms.value_based.control",
    "lprl_jax.algorithms.cql": "lprl_jax.algorithms.value_based.cql",
    "lprl_jax.algorithms.divergence": "lprl_jax.algorithms.policy_based.divergence",
    "lprl_jax.algorithms.dqn": "lprl_jax.algorithms.value_based.dqn",
    "lprl_jax.algorithms.dqn_config": "lprl_jax.algorithms.value_based.dqn_config",
    "lprl_jax.algorithms.from_data": "lprl_jax.algorithms.value_based.from_data",
    "lprl_jax.algorithms.gae": "lprl_jax.algorithms.policy_based.gae",
    "lprl_jax.algorithms.language_policy": "lprl_jax.algorithms.policy_based.language_policy",
    "lprl_jax.algorithms.leaf_values": "lprl_jax.algorithms.search.leaf_values",
    "lprl_jax.algorithms.linvit": "lprl_jax.algorithms.tabular.linvit",
    "lprl_jax.algorithms.linvit_config": "lprl_jax.algorithms.tabular.linvit_config",
    "lprl_jax.algorithms.linvit_problem": "lprl_jax.algorithms.tabular.linvit_problem",
    "lprl_jax.algorithms.policy_losses": "lprl_jax.algorithms.policy_based.policy_losses",
    "lprl_jax.algorithms.ppo": "lprl_jax.algorithms.policy_based.ppo",
    "lprl_jax.algorithms.ppo_config": "lprl_jax.algorithms.policy_based.ppo_config",
    "lprl_jax.algorithms.q_learning": "lprl_jax.algorithms.value_based.q_learning",
    "lprl_jax.algorithms.replay": "lprl_jax.algorithms.value_based.replay",
    "lprl_jax.algorithms.rollout": "lprl_jax.algorithms.policy_based.rollout",
    "lprl_jax.algorithms.search_levels": "lprl_jax.algorithms.search.levels",
    "lprl_jax.algorithms.search_proposals": "lprl_jax.algorithms.search.proposals",
    "lprl_jax.algorithms.search_tree": "lprl_jax.algorithms.search.tree",
    "lprl_jax.algorithms.slinvit": "lprl_jax.algorithms.search.slinvit",
    "lprl_jax.algorithms.slinvit_config": "lprl_jax.algorithms.search.slinvit_config",
    "lprl_jax.algorithms.value_iteration": "lprl_jax.algorithms.tabular.value_iteration",
    "lprl_jax.build": "lprl_jax.experiments.build",
    "lprl_jax.checkpoint": "lprl_jax.experiments.checkpoint",
    "lprl_jax.commands": "lprl_jax.cli.commands",
    "lprl_jax.comparison": "lprl_jax.results.comparison",
    "lprl_jax.config": "lprl_jax.experiments.config",
    "lprl_jax.demo": "lprl_jax.cli.demo",
    "lprl_jax.evaluate": "lprl_jax.experiments.evaluate",
    "lprl_jax.evaluation": "lprl_jax.results.statistics",
    "lprl_jax.export": "lprl_jax.experiments.export",
    "lprl_jax.journal": "lprl_jax.experiments.journal",
    "lprl_jax.lm.curriculum": "lprl_jax.pretraining.curriculum",
    "lprl_jax.lm.lessons": "lprl_jax.pretraining.lessons",
    "lprl_jax.lm.measuring": "lprl_jax.pretraining.measuring",
    "lprl_jax.lm.model_card": "lprl_jax.pretraining.model_card",
    "lprl_jax.lm.pretrain": "lprl_jax.pretraining.pretrain",
    "lprl_jax.lm.pretrain_run": "lprl_jax.pretraining.pretrain_run",
    "lprl_jax.lm.tasks": "lprl_jax.pretraining.tasks",
    "lprl_jax.lm.tokenizer": "lprl_jax.pretraining.tokenizer",
    "lprl_jax.loggers": "lprl_jax.experiments.loggers",
    "lprl_jax.offline": "lprl_jax.datasets",
    "lprl_jax.offline.behaviours": "lprl_jax.experiments.behaviours",
    "lprl_jax.offline.collect": "lprl_jax.datasets.collect",
    "lprl_jax.offline.dataset": "lprl_jax.datasets.dataset",
    "lprl_jax.offline.gather": "lprl_jax.experiments.gather",
    "lprl_jax.offline.minari_format": "lprl_jax.datasets.minari_format",
    "lprl_jax.planning": "lprl_jax.experiments.planning",
    "lprl_jax.plotting": "lprl_jax.results.plotting",
    "lprl_jax.report": "lprl_jax.results.report",
    "lprl_jax.run_directory": "lprl_jax.experiments.run_directory",
    "lprl_jax.runner": "lprl_jax.experiments.runner",
    "lprl_jax.sharding": "lprl_jax.experiments.sharding",
}
"""Old name to new."""


class _Finder(MetaPathFinder, Loader):
    """Makes an old name another name of the module itself."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Of a moved module; of others, nothing."""
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to Python: it is replaced at once."""

    def exec_module(self, module: ModuleType) -> None:
        """Warn, and put the moved module in this one's place."""
        old, new = module.__name__, MOVED[module.__name__]
        warnings.warn(
            f"{old} is {new} now; the old name works until the next release",
            DeprecationWarning,
            stacklevel=2,
        )
        sys.modules[old] = importlib.import_module(new)


def install() -> None:
    """Let Python find the old names, once."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        # At the front: a moved package would otherwise be searched for its modules a second time.
        sys.meta_path.insert(0, _Finder())
