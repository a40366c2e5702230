"""What a command remarks on before it begins."""

import sys

import jax


def warn_of_copies(dtype: str) -> None:
    """Say that on a CPU half the bytes are none saved: XLA multiplies copies of them in f32."""
    if dtype == "bfloat16" and jax.default_backend() == "cpu":
        print(
            "lprl: on a CPU, weights in bfloat16 are held in float32 too, as a copy; float32 takes "
            "less memory and time",
            file=sys.stderr,
        )
