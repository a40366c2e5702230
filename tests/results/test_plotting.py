import struct

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from lprl_jax.results.plotting import (
    COLORS,
    STYLES,
    Curve,
    draw_learning_curves,
    plot_learning_curves,
)
from lprl_jax.results.statistics import bootstrap_interval, iqm


@pytest.fixture
def curves():
    rng = np.random.default_rng(0)
    fast = Curve(np.array([0, 100, 1_000, 10_000]), rng.uniform(size=(7, 4)))
    slow = Curve(np.array([0, 5_000, 200_000]), rng.uniform(size=(8, 3)))
    return {"fast": fast, "slow": slow}


def test_a_png_is_written(curves, tmp_path):
    path = tmp_path / "curves.png"
    plot_learning_curves(curves, path, threshold=0.8, title="Two learners")
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    # 8 inches by 4.5 + .25 for the one row of the legend, at 150 dots an inch
    assert (width, height) == (1200, 712)
    assert 10_000 < len(content) < 300_000


def test_the_lines_are_interquartile_means(curves):
    figure = draw_learning_curves(curves, threshold=0.8)
    axes = figure.axes[0]
    for line, (name, curve) in zip(axes.lines, curves.items(), strict=False):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_xdata(), curve.steps)
        np.testing.assert_allclose(np.asarray(line.get_ydata()), iqm(curve.values, axis=0))
    assert len(axes.lines) == 3
    np.testing.assert_array_equal(axes.lines[-1].get_ydata(), [0.8, 0.8])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["fast", "slow"]


def test_the_bands_are_bootstrap_intervals(curves):
    axes = draw_learning_curves(curves, confidence=0.8).axes[0]
    assert len(axes.collections) == 2
    for band, curve in zip(axes.collections, curves.values(), strict=True):
        corners = np.asarray(band.get_paths()[0].vertices)
        for step, values in zip(curve.steps, curve.values.T, strict=True):
            interval = bootstrap_interval(values, confidence=0.8, num_resamples=1000)
            heights = corners[corners[:, 0] == step, 1]
            assert heights.min() == pytest.approx(interval.low)
            assert heights.max() == pytest.approx(interval.high)


def test_few_runs_have_no_band():
    figure = draw_learning_curves(
        {"few": Curve(np.array([1, 2]), np.array([[0.2, 0.4], [0.4, 0.8]]))}
    )
    (band,) = figure.axes[0].collections
    corners = np.asarray(band.get_paths()[0].vertices)
    np.testing.assert_allclose(corners[:, 1], np.where(corners[:, 0] == 1, 0.3, 0.6))


def test_labels_scales_and_limits(curves):
    axes = draw_learning_curves(curves).axes[0]
    assert axes.get_xlabel() == "environment steps a run"
    assert axes.get_ylabel() == "success rate"
    assert axes.get_xscale() == "symlog"
    assert axes.get_xlim() == (0, 200_000)
    low, high = axes.get_ylim()
    assert -0.1 < low < 0
    assert 1 < high < 1.1
    other = draw_learning_curves(curves, xlabel="gradient steps a run").axes[0]
    assert other.get_xlabel() == "gradient steps a run"
    assert draw_learning_curves(curves, log_steps=False).axes[0].get_xscale() == "linear"


def test_short_ranges_get_more_labels():
    curve = Curve(np.array([200, 9_000]), np.zeros((1, 2)))
    figure = draw_learning_curves({"learner": curve})
    figure.canvas.draw()
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert {"200", "500", "1k", "2k", "5k"} <= set(labels)


def test_lines_differ_in_color_and_style():
    curve = Curve(np.array([1, 2]), np.zeros((1, 2)))
    axes = draw_learning_curves({f"learner {i}": curve for i in range(8)}).axes[0]
    assert [line.get_color() for line in axes.lines] == [*COLORS, COLORS[0]]
    assert [line.get_linestyle() for line in axes.lines[:6]] == ["-", "--", "--", "--", "--", "-"]
    looks = {(COLORS[i % len(COLORS)], STYLES[i % len(STYLES)]) for i in range(35)}
    assert len(looks) == 35


def test_a_single_evaluation_shows_as_a_dot():
    figure = draw_learning_curves({"once": Curve(np.array([0]), np.array([[0.25], [0.75]]))})
    assert figure.axes[0].lines[0].get_marker() == "o"


def test_global_state_is_left_alone(curves, tmp_path):
    before = dict(matplotlib.rcParams)
    plot_learning_curves(curves, tmp_path / "curves.png")
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []


def test_errors():
    with pytest.raises(ValueError, match="curves: found none, need at least one"):
        draw_learning_curves({})
    with pytest.raises(ValueError, match=r"found shapes \(2,\) and \(1, 3\), need \[T\]"):
        Curve(np.array([1, 2]), np.zeros((1, 3)))
