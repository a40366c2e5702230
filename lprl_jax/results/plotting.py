"""Learning curves as PNG, SVG or PDF, drawn without a display and without pyplot's global state."""

import functools
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from lprl_envs import InvalidInput
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, SymmetricalLogLocator

from lprl_jax.results.statistics import as_curves, bootstrap_interval

ENDINGS = (".png", ".svg", ".pdf")
"""Of files, which say what is drawn."""

# Okabe and Ito's colours, which colour-blind readers can tell apart, less their yellow, which is
# too pale for a line. Seven colours and five styles share no factor: 35 different lines.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))


@dataclass(frozen=True, eq=False)
class Curve:
    """The learning curves of all runs of one algorithm."""

    steps: np.ndarray
    """`[T]` steps of one run at which it was evaluated, increasing."""
    values: np.ndarray
    """`[R, T]` what was measured there, for each run."""

    def __post_init__(self) -> None:
        as_curves(self.steps, self.values)


def plot_learning_curves(
    curves: Mapping[str, Curve],
    path: str | PathLike[str],
    *,
    threshold: float | None = None,
    title: str | None = None,
    xlabel: str = "environment steps a run",
    ylabel: str = "success rate",
    ylim: tuple[float, float] | None = (0.0, 1.0),
    log_steps: bool = True,
    confidence: float = 0.95,
) -> None:
    """Write learning curves to `path`; the options are those of `draw_learning_curves`.

    Raises:
      InvalidInput: If its ending is not one of ENDINGS.
    """
    figure = draw_learning_curves(
        curves,
        threshold=threshold,
        title=title,
        xlabel=xlabel,
        ylabel=ylabel,
        ylim=ylim,
        log_steps=log_steps,
        confidence=confidence,
    )
    Path(path).write_bytes(as_image(figure, Path(path).suffix))


def draw_learning_curves(
    curves: Mapping[str, Curve],
    *,
    threshold: float | None = None,
    title: str | None = None,
    xlabel: str = "environment steps a run",
    ylabel: str = "success rate",
    ylim: tuple[float, float] | None = (0.0, 1.0),
    log_steps: bool = True,
    confidence: float = 0.95,
) -> Figure:
    """Draw the interquartile mean of each algorithm's runs in its bootstrap band, if it has one.

    Too few runs have none; see `statistics.bootstrap_interval`.

    Args:
      curves: The curves by the name they get in the legend, in this order.
      threshold: Where to draw a dashed horizontal line, if anywhere.
      title: Title of the figure.
      xlabel: What the curves' steps are: gradient steps perhaps, or seconds.
      ylabel: What the values are.
      ylim: Range of the values; `None` fits it to the curves.
      log_steps: Whether the steps are on a logarithmic axis (linear next to a step 0), since
        algorithms differ by orders of magnitude.
      confidence: Nominal coverage of the bands, at each step by itself.

    Returns:
      The figure; its `axes[0]` holds one line an algorithm, then the threshold.

    Raises:
      ValueError: If there are no curves.
    """
    if not curves:
        raise ValueError("curves: found none, need at least one")
    longest = max(len(name) for name in curves)
    columns = min(3, len(curves), max(1, 74 // (longest + 9)))  # the figure is 74 letters wide
    size = (8, 4.5 + 0.25 * math.ceil(len(curves) / columns))  # the legend takes nothing away
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.06))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    lines: list[Line2D] = []
    for i, (name, curve) in enumerate(curves.items()):
        steps, _ = as_curves(curve.steps, curve.values)
        color, style = COLORS[i % len(COLORS)], STYLES[i % len(STYLES)]
        middle, low, high = bands(curve, confidence)
        # Where an interval has no end (few runs, or all alike), the band has no width.
        low, high = (
            [m if end is None else end for m, end in zip(middle, ends, strict=True)]
            for ends in (low, high)
        )
        marker = "o" if steps.size == 1 else ""
        (line,) = axes.plot(
            steps, middle, color=color, ls=style, marker=marker, linewidth=2.4, label=name
        )
        line.set_gid(f"curve-{i}")
        lines.append(line)
        band = axes.fill_between(steps, low, high, color=color, alpha=0.18, linewidth=0)
        band.set_gid(f"band-{i}")
    if threshold is not None:
        axes.axhline(threshold, color="0.35", linestyle="--", linewidth=1.2, zorder=1)
        label = {"xytext": (6, 4), "textcoords": "offset points", "color": "0.35", "fontsize": 11}
        where = ("axes fraction", "data")
        axes.annotate(f"threshold {threshold:g}", (0, threshold), xycoords=where, **label)
    every_step = np.concatenate([np.asarray(curve.steps) for curve in curves.values()])
    _style_axes(axes, every_step, log_steps, ylim)
    axes.set_xlabel(xlabel, fontsize=15)
    axes.set_ylabel(ylabel, fontsize=15)
    if title is not None:
        axes.set_title(title, fontsize=17, loc="left", pad=12)
    legend = figure.legend(
        lines,
        [name.replace("$", r"\$") for name in curves],  # no formulas; a name may begin with _
        loc="outside lower center",
        borderaxespad=0,
        ncols=columns,
        fontsize=13,
        frameon=False,
        handlelength=2.8,
        title=f"interquartile mean, {100 * confidence:g}% bootstrap interval",
        title_fontsize=11,
    )
    for i, (line, text) in enumerate(zip(legend.get_lines(), legend.get_texts(), strict=True)):
        line.set_gid(f"key-{i}")
        text.set_gid(f"name-{i}")
    return figure


@functools.lru_cache(maxsize=256)
def bands(
    curve: Curve, confidence: float = 0.95
) -> tuple[list[float], list[float | None], list[float | None]]:
    """Interquartile mean of a curve's runs and the ends of its bootstrap interval, `[T]` each.

    An interval of few runs, or of few that are all alike, has no ends. Kept: a page draws a curve
    and tells its numbers, and resampling takes longer than both.
    """
    _, values = as_curves(curve.steps, curve.values)
    # One seed, so the same runs are drawn at every step: resamples of whole curves.
    found = [bootstrap_interval(v, confidence=confidence, num_resamples=1000) for v in values.T]
    low, high = [one.low for one in found], [one.high for one in found]
    return [one.estimate for one in found], low, high


def as_image(figure: Figure, ending: str) -> bytes:
    """The figure as the bytes of a file of this ending; equal figures give equal bytes.

    Raises:
      InvalidInput: If it is not one of ENDINGS.
    """
    if ending.lower() not in ENDINGS:
        raise InvalidInput(f"a plot ends in {ending!r}; valid: {', '.join(ENDINGS)}")
    undated = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[ending.lower()]
    out = io.BytesIO()
    with rc_context({"svg.hashsalt": "lprl-jax"}):
        figure.savefig(out, format=ending.lower()[1:], dpi=150, metadata=undated)
    return out.getvalue()


def as_svg(figure: Figure) -> str:
    """The figure as SVG text, letters as outlines; equal figures give equal text."""
    return as_image(figure, ".svg").decode()


def _style_axes(
    axes: Axes, steps: np.ndarray, log_steps: bool, ylim: tuple[float, float] | None
) -> None:
    """Scales, limits, ticks and a faint grid."""
    positive = steps[steps > 0]
    if log_steps and positive.size:
        # Logarithmic from the power of ten below the first positive step, linear below that.
        start = 10.0 ** math.floor(math.log10(positive.min()))
        axes.set_xscale("symlog", linthresh=start, linscale=0.4, subs=range(2, 10))
        if positive.max() < 100 * start:  # few powers of ten to label
            transform = axes.xaxis.get_transform()
            axes.xaxis.set_major_locator(SymmetricalLogLocator(transform, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    if steps.min() < steps.max():
        axes.set_xlim(steps.min(), steps.max())
    if ylim is not None:
        margin = 0.02 * (ylim[1] - ylim[0])  # lets a line along the edge show its full width
        axes.set_ylim(ylim[0] - margin, ylim[1] + margin)
    axes.tick_params(labelsize=13)
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
