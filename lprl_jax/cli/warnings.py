"""What a command remarks on before it begins."""

import sys
import warnings
from typing import Any

import jax

from lprl_jax.lm.taught import StrangeText


def warn_of_copies(dtype: str) -> None:
    """Say that on a CPU half the bytes are none saved: XLA multiplies copies of them in f32."""
    if dtype == "bfloat16" and jax.default_backend() == "cpu":
        print(
            "lprl: on a CPU, weights in bfloat16 are held in float32 too, as a copy; float32 takes "
            "less memory and time",
            file=sys.stderr,
        )


def in_a_line() -> None:
    """Have our own of Python's warnings printed as a line, as all that a command remarks on."""
    show = warnings.showwarning

    def tell(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, StrangeText):
            print(f"lprl: warning: {message}", file=sys.stderr)
        else:
            show(message, category, *where, **more)

    warnings.showwarning = tell
