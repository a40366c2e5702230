"""How a config says that a model's prior is p_map, and by which way a model is reached.

`p_dist` scores every action's text; with `p_map` the model writes, and the action is found in that.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from lprl_envs import InvalidInput, TextEnv, TextEnvParams, values
from lprl_envs.errors import require_one_of, shown

from lprl_jax.priors import (
    EncodedPrior,
    FlaxLanguagePrior,
    FreeForm,
    FreeFormPrior,
    LanguagePrior,
    Prior,
    TabularPrior,
    has_features,
    memo,
    tabulate,
    tabulate_features,
    tabulate_free_form,
)
from lprl_jax.priors.free_form import require_unweighed

TABLE, MEMO, LIVE = ACCESS = ("table", "memo", "live")
"""All states beforehand; each when it is first met; every state at every step."""
P_DIST, P_MAP = KINDS = ("p_dist", "p_map")
DEFAULTS = FreeForm()
FIELDS = {
    "samples": "samples",
    "max_tokens": "max_tokens",
    "sample_temperature": "temperature",
    "top_p": "top_p",
    "smoothing": "smoothing",
}
"""Of a config, and which of `FreeForm`'s they are."""


def free_form(kind: str, fields: dict[str, Any]) -> FreeForm | None:
    """How a model of `p_map` is let answer; None with `p_dist`.

    Args:
        kind: One of KINDS.
        fields: Of a config: all of FIELDS, of their types, and how actions are weighed.

    Raises:
        InvalidInput: if a field is out of range, or is given with `p_dist`; or if the texts of
            actions are to be weighed with `p_map`.
    """
    require_one_of("prior_kind", kind, KINDS)
    own = {inner: fields[name] for name, inner in FIELDS.items()}
    if kind == P_MAP:
        for name in ("sample_temperature", "smoothing"):  # of 0, files could not hold the tables
            values.require_above_0(name, fields[name])
        require_unweighed(fields["calibration"], fields["normalization"])
        return FreeForm(**own)
    for name, inner in FIELDS.items():
        if own[inner] != getattr(DEFAULTS, inner):
            raise InvalidInput(
                f"{name} is {shown(fields[name])}, but by {P_DIST} a model writes nothing; it does "
                f"by {P_MAP}: prior_kind={P_MAP}, or --kind {P_MAP}"
            )
    return None


def written_by(prior: Prior | None, form: FreeForm | None, name: str) -> Prior | None:
    """The p_map prior of the model of this name, if it is to answer freely; or what there is.

    Raises:
        InvalidInput: if our own decoder does not run it.
    """
    if form is None:
        return prior
    if not isinstance(prior, LanguagePrior):
        raise InvalidInput(
            f"{P_MAP} is asked for, and the prior {name!r} is no model that our own decoder runs; "
            "name one, such as embedded, or make its table with `lprl prior --kind p_map`"
        )
    return FreeFormPrior.of(prior, form)


def in_small_chunks(prior: Prior | None, config: Any) -> Prior | None:
    """A model behind a memory runs few states at a time, unless the config says how many."""
    if config.prior_access == MEMO and isinstance(prior, LanguagePrior) and not config.chunk:
        return dataclasses.replace(prior, chunk=memo.CHUNK)
    return prior


def accessed(
    prior: Prior,
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
    config: Any,
    with_features: bool,
    progress: bool,
) -> Prior:
    """A prior by the access that a config names; one that asks no model stays what it is.

    Raises:
        NotNumbered: of a table, if the environment has too many states.
        InvalidInput: of a memory, as `memo.remember`.
    """
    if config.prior_access == LIVE:
        return prior
    own = prior.prior if isinstance(prior, EncodedPrior) else prior
    is_model = isinstance(own, LanguagePrior | FlaxLanguagePrior | FreeFormPrior)
    if config.prior_access == MEMO:
        reads = with_features and has_features(prior)
        return memo.remember(prior, env, config.memo_slots, reads) if is_model else prior
    if with_features and has_features(prior):
        settings = getattr(prior, "settings", {})
        return tabulate_features(prior, env, env_params, progress=progress, **settings)
    return tabulated(prior, env, env_params, progress) if is_model else prior


def tabulated(
    prior: Any,
    env: TextEnv[Any, Any],
    env_params: TextEnvParams,
    progress: bool = False,
    resume: Path | None = None,
) -> TabularPrior:
    """The table of a prior that says its settings; of p_map's, nothing is kept to resume it."""
    asked = prior, env, env_params
    if isinstance(prior, FreeFormPrior):
        return tabulate_free_form(*asked, progress=progress, **prior.settings)
    return tabulate(*asked, progress=progress, resume=resume, **prior.settings)


def figures_of(prior: Prior | None) -> dict[str, Any]:
    """What run.json says of the making of a prior's table, whatever wraps it; empty for others."""
    found: Any = prior
    while hasattr(found, "prior"):
        found = found.prior
    figures = getattr(found, "figures", {})
    return {"prior_figures": figures} if figures else {}
