"""Pictures of states: RGB arrays that save as PNG or GIF and show themselves in a notebook.

>>> import lprl_envs
>>> env = lprl_envs.FrozenLake("4x4")
>>> picture = env.render(env.state_at(0, 0, env.default_params), env.default_params)
>>> picture.rgb.ndim, picture.rgb.shape[2]
(3, 3)

An environment draws on a `Canvas`, or on a square of it, a `Tile`; `Animation` is made of an
episode's pictures.
"""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lprl_envs.errors import InvalidInput

Color = str
"""As Pillow reads it: `"#4477aa"`."""

# Paul Tol's "bright" scheme, which stays apart for colour-blind eyes, and quiet neutrals.
PAPER, INK, MUTED, LINE = "#ffffff", "#222831", "#8a929e", "#d9dee5"
BLUE, RED, GREEN, YELLOW = "#4477aa", "#ee6677", "#228833", "#ccbb44"
CYAN, PURPLE, GREY = "#66ccee", "#aa3377", "#bbbbbb"

_OVERSAMPLING = 3
"""Drawn so many times larger and scaled down, for smooth edges."""


class Canvas:
    """A white sheet to draw on; lengths are pixels of the finished picture."""

    def __init__(self, width: int, height: int, background: Color = PAPER):
        size = width * _OVERSAMPLING, height * _OVERSAMPLING
        self._image = Image.new("RGB", size, background)
        self._draw = ImageDraw.Draw(self._image)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: Color | None = None,
        *,
        outline: Color | None = None,
        line: float = 1.0,
        radius: float = 0.0,
    ) -> None:
        """A rectangle from its upper left corner, with rounded corners if wanted."""
        corners = [x, y, x + width, y + height]
        self._draw.rounded_rectangle(
            [round(c * _OVERSAMPLING) for c in corners],
            radius * _OVERSAMPLING,
            fill,
            outline,
            round(line * _OVERSAMPLING),
        )

    def disc(self, x: float, y: float, radius: float, fill: Color) -> None:
        """A filled circle about its centre."""
        corners = [x - radius, y - radius, x + radius, y + radius]
        self._draw.ellipse([c * _OVERSAMPLING for c in corners], fill)

    def polygon(self, points: Sequence[tuple[float, float]], fill: Color) -> None:
        """A filled polygon."""
        self._draw.polygon([(x * _OVERSAMPLING, y * _OVERSAMPLING) for x, y in points], fill)

    def path(self, points: Sequence[tuple[float, float]], color: Color, line: float = 1.0) -> None:
        """Straight lines from point to point."""
        scaled = [(x * _OVERSAMPLING, y * _OVERSAMPLING) for x, y in points]
        self._draw.line(scaled, color, round(line * _OVERSAMPLING), joint="curve")

    def text(
        self, x: float, y: float, text: str, size: float, color: Color = INK, anchor: str = "mm"
    ) -> None:
        """A line of text; `anchor` is Pillow's: `"mm"` is centred, `"ls"` begins on a baseline."""
        font = ImageFont.load_default(size * _OVERSAMPLING)
        self._draw.text((x * _OVERSAMPLING, y * _OVERSAMPLING), text, color, font, anchor)

    def picture(self) -> Picture:
        """What was drawn."""
        width, height = self._image.size
        size = width // _OVERSAMPLING, height // _OVERSAMPLING
        return Picture(np.asarray(self._image.resize(size, Image.Resampling.LANCZOS)))


@dataclasses.dataclass(frozen=True)
class Tile:
    """A square of a canvas; places and lengths within it are fractions of its edge."""

    canvas: Canvas
    x: float
    """Of its upper left corner, in pixels, like the following two."""
    y: float
    edge: float

    def disc(self, x: float, y: float, radius: float, fill: Color) -> None:
        """As the canvas's, like the following ones."""
        self.canvas.disc(*self._at(x, y), radius * self.edge, fill)

    def polygon(self, points: Sequence[tuple[float, float]], fill: Color) -> None:
        """A filled polygon."""
        self.canvas.polygon([self._at(*point) for point in points], fill)

    def path(self, points: Sequence[tuple[float, float]], color: Color, line: float) -> None:
        """Straight lines from point to point."""
        self.canvas.path([self._at(*point) for point in points], color, line * self.edge)

    def box(self, x: float, y: float, width: float, height: float, fill: Color, r: float) -> None:
        """A rectangle with corners of radius r."""
        e = self.edge
        self.canvas.box(*self._at(x, y), width * e, height * e, fill, radius=r * e)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return self.x + x * self.edge, self.y + y * self.edge


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """One picture; the last expression of a notebook's cell shows it."""

    rgb: np.ndarray
    """u8[height, width, 3]"""

    def save(self, path: str | Path) -> None:
        """Write a PNG."""
        _require_suffix(path, ".png")
        Path(path).write_bytes(self._repr_png_())

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(self.rgb).save(stream, "PNG", optimize=True)
        return stream.getvalue()


@dataclasses.dataclass(frozen=True, eq=False)
class Animation:
    """Pictures of one size, one after the other."""

    frames: Sequence[Picture]
    """One or more."""
    milliseconds: int = 400
    """That a picture is shown; the last is shown three times as long."""

    def save(self, path: str | Path) -> None:
        """Write a GIF that repeats."""
        _require_suffix(path, ".gif")
        Path(path).write_bytes(self.gif())

    def gif(self) -> bytes:
        """A GIF that repeats."""
        images = [Image.fromarray(frame.rgb).quantize(128) for frame in self.frames]
        durations = [self.milliseconds] * (len(images) - 1) + [3 * self.milliseconds]
        stream = io.BytesIO()
        images[0].save(
            stream, "GIF", save_all=True, append_images=images[1:], duration=durations, loop=0
        )
        return stream.getvalue()

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.gif()).decode()
        return f'<img alt="an episode" src="data:image/gif;base64,{data}">'


def picture_of_text(text: str) -> Picture:
    """A page with this text: how an environment looks that draws nothing else."""
    lines = text.splitlines() or [""]
    canvas = Canvas(40 + 9 * max(map(len, lines)), 40 + 22 * len(lines))
    for i, line in enumerate(lines):
        canvas.text(20, 36 + 22 * i, line, 15, anchor="ls")
    return canvas.picture()


def _require_suffix(path: str | Path, suffix: str) -> None:
    if Path(path).suffix != suffix:
        raise InvalidInput(f"cannot write {path}; the file's name must end in {suffix}")
