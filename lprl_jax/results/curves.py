"""Learning curves: when they come to a threshold, and the area under them.

Shapes: `R` runs of one algorithm, `T` evaluations along a run. Everything here is NumPy on the
host; wrong shapes, NaN and infinity raise a `ValueError` of one line.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
WINDOW = 3
"""Evaluations whose mean must come to a threshold."""
LOST = 10
"""Evaluations whose mean must not fall below it again."""


def steps_to_threshold(
    steps: ArrayLike, values: ArrayLike, threshold: float, window: int = WINDOW
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The step by which each run has come to the threshold for good.

    Single evaluations are noisy: a run stuck far below a threshold passes it once in a while. So
    the mean of `window` evaluations is what counts, and it must stay: no later mean of the last
    `LOST` evaluations, or of all since the window began while they are fewer, is below the
    threshold. So a run that comes and goes has not come, and neither has one that is lost again.

    It takes more evaluations to be lost than to come, for else more steps of training would make
    the same learner slower: of those whose policy fails once in fifty evaluations, most would have
    come near the end, whenever that is.

    The step is that of the window's last evaluation, not of its first: nothing is claimed for a
    step at which it had not been shown yet. So no run is earlier than evaluation number `window`.

    Args:
      steps: `[T]` increasing steps at which the runs were evaluated, at least `window` of them.
      values: `[R, T]` what was measured there.
      threshold: The value to reach.
      window: Evaluations in a mean, at most `LOST`.

    Returns:
      Steps `[R]` and reached `[R]`, for `summarize_steps`. A run that has not come to the threshold
      for good is censored: its step is `steps[-1]`, its reached `False`.

    Examples:
      >>> success = [[0.0, 0.9, 0.9, 0.9, 0.9], [0.0, 0.9, 0.9, 0.9, 0.1]]
      >>> found, reached = steps_to_threshold([0, 10, 20, 30, 40], success, 0.8)
      >>> found.tolist(), reached.tolist()
      ([30, 40], [True, False])
    """
    steps, values = as_curves(steps, values)
    num = steps.size
    if not 1 <= window <= min(num, LOST):
        raise ValueError(
            f"steps: found {num}, need at least {window}, over which means are taken, 1 to {LOST}"
        )
    above = values - finite("threshold", threshold)
    sums = np.pad(np.cumsum(above, axis=1), ((0, 0), (1, 0)))  # [R, T + 1]

    def holds(length: int) -> NDArray[np.bool_]:
        """Whether the mean from each start is high enough, `[R, T + 1 - window]`; if it ends."""
        # One that equals the threshold may come out a rounding below: `metrics.jsonl` has 5 digits.
        own = sums[:, length:] >= sums[:, : num + 1 - length] - 1e-5 * length
        return np.pad(own, ((0, 0), (0, length - window)), constant_values=True)

    lengths = [holds(length) for length in range(window, min(num, LOST) + 1)]
    # Behind the first LOST evaluations it is the full means, from all later starts.
    ever_after = np.logical_and.accumulate(lengths[-1][:, ::-1], axis=1)[:, ::-1]
    good = np.logical_and.reduce([*lengths, ever_after])
    reached = np.any(good, axis=1)
    return steps[np.where(reached, good.argmax(axis=1) + window - 1, -1)], reached


def first_passage(
    steps: ArrayLike, values: ArrayLike, threshold: float
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The first step at which each run's value is at least the threshold, if only once.

    For values that are computed, not sampled; of noisy ones it is too early.

    Args:
      steps: `[T]` increasing steps.
      values: `[R, T]` what is known there.
      threshold: The value to reach.

    Returns:
      Steps `[R]` and reached `[R]`, as those of `steps_to_threshold`.

    Examples:
      >>> first, reached = first_passage([10, 20, 30], [[0.1, 0.9, 0.2], [0.1, 0.2, 0.3]], 0.8)
      >>> first.tolist(), reached.tolist()
      ([20, 30], [True, False])
    """
    steps, values = as_curves(steps, values)
    above = values >= finite("threshold", threshold)
    reached = np.any(above, axis=1)
    return np.where(reached, steps[above.argmax(axis=1)], steps[-1]), reached


def normalized_area(
    steps: ArrayLike, values: ArrayLike, low: float = 0.0, high: float = 1.0
) -> Floats:
    """The area `[R]` under the learning curves; a constant `low` gives 0, a constant `high` 1.

    Args:
      steps: `[T]` increasing environment steps, at least two.
      values: `[R, T]` what was measured there; straight lines in between (the trapezoidal rule).
      low: The value whose area is 0.
      high: The value whose area is 1.

    Examples:
      >>> normalized_area([0, 10, 20], [[0, 1, 1]]).tolist()
      [0.75]
    """
    steps, values = as_curves(steps, values)
    if steps.size < 2:
        raise ValueError("steps: found 1 step, need at least 2 for an area")
    if finite("low", low) == finite("high", high):
        raise ValueError(f"low and high: found {low:g} for both, need two different values")
    mean = np.trapezoid(values, steps, axis=1) / (steps[-1] - steps[0])
    return (mean - low) / (high - low)


def as_curves(steps: ArrayLike, values: ArrayLike) -> tuple[NDArray[Any], Floats]:
    """Steps `[T]` and values `[R, T]` as arrays, or a `ValueError` that says what is wrong."""
    steps, values = np.asarray(steps), finite("values", values)
    increments = np.diff(finite("steps", steps).ravel())
    if steps.ndim != 1 or values.ndim != 2 or values.shape[1] != steps.size:
        shapes = f"{steps.shape} and {values.shape}"
        raise ValueError(f"steps and values: found shapes {shapes}, need [T] and [runs, T]")
    if (increments <= 0).any():
        at = int(np.argmax(increments <= 0))
        raise ValueError(f"steps: found {steps[at + 1]} after {steps[at]}, need increasing steps")
    return steps, values


def finite(name: str, values: ArrayLike) -> Floats:
    """The values as floats: at least one, all finite."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError(f"{name}: found no values (shape {array.shape}), need at least one")
    if num_bad := int((~np.isfinite(array)).sum()):
        found = f"NaN or infinity in {num_bad} of {array.size} values"
        raise ValueError(f"{name}: found {found}, need finite ones")
    return array
