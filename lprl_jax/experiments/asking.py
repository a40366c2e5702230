"""How a config says that a model is asked: the wording, and how its answers are weighed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lprl_envs import InvalidInput, TextEnv
from lprl_envs.errors import shown

from lprl_jax.algorithms.tabular.worked_examples import worked

if TYPE_CHECKING:
    from lprl_jax.experiments.config_fields import ExperimentConfig


@dataclasses.dataclass(frozen=True)
class Asking:
    """Of a model's prior; a field each of `ExperimentConfig`."""

    wording: str = "bare"
    """Name, or YAML file, of what stands around a state."""
    normalization: str = "sum"
    """Of an action's log-likelihood."""
    end_of_action: str = "\n"
    """What ends an action's text."""
    chunk: int = 0
    """States that are run at a time; 0: as many as the prior does by default."""
    calibration: str = "none"
    """By what answers are divided that a model likes whatever it reads."""

    @staticmethod
    def of(config: ExperimentConfig) -> Asking:
        """As a config says it."""
        return Asking(**{field: getattr(config, field) for field in FIELDS})

    def options(self, env: TextEnv[Any, Any], drawn: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        """Arguments of a model's prior.

        Args:
            env: In which examples are worked out.
            drawn: Of `env.sample_params`: how training instances are drawn, for these.

        Raises:
            InvalidInput: as `worked`.
        """
        own = {"normalization": self.normalization, "end_of_action": self.end_of_action}
        chunk = {"chunk": self.chunk} if self.chunk else {}
        return {"wording": worked(self.wording, env, drawn), **own, **chunk}

    def require_plain(self, prior: str) -> None:
        """Raise InvalidInput if something is said that only a model of that name would follow."""
        for field in FIELDS:
            if getattr(self, field) != getattr(PLAIN, field):
                raise InvalidInput(
                    f"{field} is {shown(getattr(self, field))}, which says how a model is asked, "
                    f"and the prior {prior!r} asks none"
                )


PLAIN = Asking()
FIELDS = tuple(field.name for field in dataclasses.fields(Asking))
