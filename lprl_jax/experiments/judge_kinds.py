"""How a config says that a language model judges: in words or not, and at how many bits.

With `action` the verdict is implied by the model's prior; with `words` it is asked for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lprl_envs import InvalidInput
from lprl_envs.errors import require_one_of, shown

from lprl_jax.experiments import places
from lprl_jax.lm.quantised import WHOLE, require_bits

ACTION, WORDS = SAYS = ("action", "words")
OF_MODELS = {"judge_says": ACTION, "judge_bits": WHOLE}
"""Fields of a config that speak of a language model, as they are by default."""
OF_WORDS = {"judge_threshold": 0.0, "judge_calibrated": False}
"""Of one that is asked for words."""
PLAIN = {**OF_MODELS, **OF_WORDS}
"""All of these."""
OF_ACTIONS = {"normalization": "sum", "end_of_action": "\n", "calibration": "none"}
"""By which a model's actions are weighed."""


def check(fields: Mapping[str, Any]) -> None:
    """Check what a config says of its judge.

    Args:
        fields: Of the config: all, of their types.

    Raises:
        InvalidInput: if a field is out of range, or says something of a judge that is not so asked.
    """
    says, bits, judge = (fields[name] for name in ("judge_says", "judge_bits", "judge"))
    require_one_of("judge_says", says, SAYS)
    require_bits("judge_bits", bits)
    if not places.judge_asks_model(judge):
        require_plain(fields, "language models")
    if bits != WHOLE and fields["prior_dtype"] != "float32":
        raise InvalidInput(
            f"judge_bits is {bits}, and prior_dtype {fields['prior_dtype']}, but weights are "
            "rounded in float32; right: prior_dtype=float32"
        )
    if says == WORDS:
        _check_words(fields)
        return
    for name, plain in OF_WORDS.items():
        if fields[name] != plain:
            raise InvalidInput(
                f"{name} is {shown(fields[name])}, and by {ACTION} a model says no words; right: "
                f"judge_says={WORDS}, or {name}={str(plain).lower()}"
            )


def require_plain(fields: Mapping[str, Any], whom: str) -> None:
    """Raise InvalidInput if a judge is to say words, or has few bits, and is none of `whom`."""
    for name, plain in OF_MODELS.items():
        if fields[name] != plain:
            raise InvalidInput(
                f"{name} is {shown(fields[name])}, which is for {whom}, such as embedded; the "
                f"judge {shown(fields['judge'])} is none; right: {name}={plain}"
            )


def _check_words(fields: Mapping[str, Any]) -> None:
    """Raise InvalidInput if something is said that a judge in words does not follow."""
    if fields["judge_soft"] and fields["judge_threshold"]:
        raise InvalidInput(
            f"judge_threshold is {fields['judge_threshold']:g}, and with judge_soft there is no "
            "likeliest word; right: one of the two"
        )
    if places.asks_model(fields["prior"]):
        return  # then they are the prior's
    for name, plain in OF_ACTIONS.items():
        if fields[name] != plain:
            raise InvalidInput(
                f"{name} is {shown(fields[name])}, which says how a model's actions are weighed, "
                f"and a judge in words weighs none; right: {name}={plain!r}, or judge_says={ACTION}"
            )
