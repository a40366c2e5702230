"""Write the pages that quote figures, from their sources and the figures: `make figures`.

    python docs/figures.py                    # write README.md, docs/results.md and others
    python docs/figures.py --check            # change nothing; say what is wrong, exit with 1
    python docs/figures.py --names [PREFIX]   # what can be quoted, with its value now

Sources are in `docs/pages/`. Where a source says {{linvit.maps}}, the page has that figure of
`docs/results/linvit.json`; where it says {{table:linvit-firm}}, that table. Both are made by
`docs/experiments/linvit.py`, by its `numbers` and its `tables`. Whatever else is a number in a
sentence must be allowed by `docs/typed_numbers.py`.

What rests on figures that are not there yet is written beside what holds until then:

    <!-- demo: when measured -->
    The prior is worth a factor of {{demo.frozen_lake.dqn.times}}.
    <!-- demo: until then -->
    The prior is worth a factor of 15.
    <!-- demo: end -->

Once `demo` is measured the first part is the page's, and the check asks for the rest to be removed.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import typed_numbers

DOCS = Path(__file__).parent
ROOT = DOCS.parent

sys.path[:0] = [str(DOCS / "experiments"), str(ROOT / "bench")]

SOURCES = DOCS / "pages"
RESULTS = (
    "head", "linvit", "slinvit", "subgoals", "offline", "kl_ppo", "kl_estimator", "generalisation",
    "gflan", "wordings", "published", "p_map", "lagr", "lmgt", "lmgt_worlds", "key_rooms",
    "cartpole", "pendulum", "home",
)  # fmt: skip
"""Sections of docs/results.md in their order."""
PAGES = {
    "README.md": (SOURCES / "README.source.md",),
    "docs/demo.md": (SOURCES / "demo.md",),
    "docs/models.md": (SOURCES / "models.md",),
    "docs/command-line.md": (SOURCES / "command_line.md",),
    "docs/results.md": tuple(SOURCES / "results" / f"{name}.md" for name in RESULTS),
    "docs/speed.md": (SOURCES / "speed.md",),
    "docs/watch_repair.md": (SOURCES / "watch_repair.md",),
}
"""What each page is written from."""
BY_HAND = tuple(DOCS / f"{name}.md" for name in ("offline", "library", "limits"))
"""Pages without figures, which may have none that are typed. `environments.md` is not among them:
its numbers are laws'."""
ELSEWHERE = {
    "tuning": ("tune", ROOT / "bench/results/tuning.json"),
    "card": ("card", ROOT / "lprl_jax/lm/embedded_models/MODEL_CARD.json"),
    "judge_card": ("judge_card", ROOT / "lprl_jax/lm/embedded_models/judge/MODEL_CARD.json"),
    "home_card": ("home_card", ROOT / "lprl_jax/lm/embedded_models/home/MODEL_CARD.json"),
}
"""Figures that are not in docs/results: the module that reads them, and the file."""

WIDTH = 110
"""Of lines in which figures took the place of their names."""

PLACE = re.compile(r"\{\{(?:(table):)?([^{}\s]+)\}\}")
LATER = re.compile(
    r"<!-- (\w+): when measured -->\n(.*?)<!-- \1: until then -->\n(.*?)<!-- \1: end -->\n",
    re.DOTALL,
)
_HEAD = re.compile(r"\A<!-- Source of .*?-->\n+", re.DOTALL)


class Known(NamedTuple):
    """All that pages can quote."""

    experiments: frozenset[str]
    """What is measured, by name."""
    numbers: Mapping[str, str]
    """By `experiment.name`."""
    tables: Mapping[str, str]
    """By name."""


def main() -> None:
    """Write the pages, check them, or list what they can quote."""
    parser = argparse.ArgumentParser(description="Write the pages that quote figures.")
    parser.add_argument("--check", action="store_true", help="change nothing, say what is wrong")
    parser.add_argument("--names", nargs="?", const="", metavar="PREFIX", help="list the figures")
    options = parser.parse_args()
    try:
        known = read()
        if options.names is not None:
            print("\n".join(listed(known, options.names)))
            return
        pages = {page: written_page(page, sources, known) for page, sources in PAGES.items()}
    except ValueError as error:
        raise SystemExit(f"{error}") from error
    if not options.check:
        for page, text in pages.items():
            (ROOT / page).write_text(text)
        return
    if wrong := [*differences(pages), *stale(), *left_over(known), *typed()]:
        raise SystemExit("\n".join(wrong))


def figures_files() -> dict[str, tuple[str, Path]]:
    """Module and file of everything measured, by name."""
    own = {file.stem: (file.stem, file) for file in sorted((DOCS / "results").glob("*.json"))}
    return own | {name: found for name, found in ELSEWHERE.items() if found[1].is_file()}


def read() -> Known:
    """Everything that is measured.

    Raises:
        ValueError: if two experiments have tables of one name, or a part is not measured.
    """
    written: Any = importlib.import_module("written")
    speed: Any = importlib.import_module("speed")
    reports = speed.read()
    numbers = {f"speed.{name}": value for name, value in speed.numbers(reports).items()}
    tables = dict(speed.tables(reports))
    files = figures_files()
    for name, (module, file) in files.items():
        experiment, figures = importlib.import_module(module), written.read(file)
        try:
            own, shown = experiment.numbers(figures), experiment.tables(figures)
        except (KeyError, StopIteration) as missing:
            raise ValueError(
                f"{_name(file)} lacks {missing}, which {module}.py shows; measure all of it"
            ) from missing
        numbers |= {f"{name}.{at}": value for at, value in own.items()}
        for at, table in shown.items():
            if at in tables:
                raise ValueError(f"{module}.py has a table {at!r}, as another experiment has")
            tables[at] = table
    return Known(frozenset(files), numbers, tables)


def written_page(page: str, sources: tuple[Path, ...], known: Known) -> str:
    """A page from its sources, with a comment that names them.

    Raises:
        ValueError: if a source quotes what there is not.
    """
    parts = [rendered(file.read_text(), known, _name(file)) for file in sources]
    where = _name(sources[0] if len(sources) == 1 else sources[0].parent)
    head = f"<!-- Written by `make figures`; its source is {where}, change it there. -->\n\n"
    return head + "\n".join(parts)


def rendered(source: str, known: Known, name: str = "the source") -> str:
    """A source with figures in their places.

    Raises:
        ValueError: if it quotes what there is not.
    """

    def figure(place: re.Match[str]) -> str:
        kind, at = place[1], place[2]
        found = known.tables if kind else known.numbers
        if at not in found:
            raise ValueError(
                f"{name} quotes {place[0]}, which no experiment has; "
                f"`python docs/figures.py --names {at.partition('.')[0]}` lists what there is"
            )
        return found[at]

    def now(later: re.Match[str]) -> str:
        return later[2] if later[1] in known.experiments else later[3]

    blocks = LATER.sub(now, _HEAD.sub("", source)).strip("\n").split("\n\n")
    filled = (
        _filled(block, PLACE.sub(figure, block)) if PLACE.search(block) else block
        for block in blocks
    )
    return "\n\n".join(filled) + "\n"


def _filled(source: str, block: str) -> str:
    """Paragraphs in which names gave way to figures, broken into lines anew; tables as they are."""
    if any(place[1] for place in PLACE.finditer(source)):
        return block
    return "\n".join(map(_filled_item, re.split(r"\n(?=\* )", block)))


def _filled_item(item: str) -> str:
    # What would begin a list or a quotation at the beginning of a line stays off it.
    words = re.sub(r" (?=(?:[-+*>#]|\d+[.)]) )", "\0", " ".join(item.split()))
    indent = "  " if item.startswith("* ") else ""
    lines = textwrap.wrap(words, WIDTH, subsequent_indent=indent,
                          break_long_words=False, break_on_hyphens=False)  # fmt: skip
    return "\n".join(lines).replace("\0", " ")


def listed(known: Known, prefix: str) -> list[str]:
    """What can be quoted, with its value; tables by their names."""
    found = [f"{{{{{at}}}}}  {value}" for at, value in known.numbers.items()]
    found += [f"{{{{table:{at}}}}}" for at in known.tables]
    return [line for line in found if line.lstrip("{").removeprefix("table:").startswith(prefix)]


def differences(pages: Mapping[str, str]) -> list[str]:
    """Pages that are not what their sources and the figures make, with the first line that is."""
    wrong = []
    for page, text in pages.items():
        file = ROOT / page
        there = file.read_text().split("\n") if file.is_file() else []
        lines = text.split("\n")
        if there != lines:
            at = next((i for i, (a, b) in enumerate(zip(there, lines, strict=False)) if a != b),
                      min(len(there), len(lines)))  # fmt: skip
            wrong.append(f"{page}:{at + 1} is not what its source makes; run `make figures`")
    return wrong


def stale() -> list[str]:
    """Figures of other models than the package's, and those that do not say where they are from."""
    written: Any = importlib.import_module("written")
    speed: Any = importlib.import_module("speed")
    found = [written.complaint(file) for _, file in figures_files().values()]
    return [line for line in found if line] + speed.complaints()


def left_over(known: Known) -> list[str]:
    """Passages that were to stand until something was measured, which it is by now."""
    return [
        f"{_name(file)}: {later[1]} is measured: remove what stood there until then"
        for file in _sources()
        for later in LATER.finditer(file.read_text())
        if later[1] in known.experiments
    ]


def typed() -> list[str]:
    """Numbers in sentences that come from no figures, by source and line; what is allowed in vain.

    Not in passages that stand until something is measured.
    """
    texts = {_name(file): _without_what_waits(file.read_text()) for file in (*_sources(), *BY_HAND)}
    found = [
        f"{name}:{line}: {number!r} in {words!r} is written by hand; quote it from the figures, "
        "or allow it in docs/typed_numbers.py"
        for name, text in texts.items()
        for line, number, words in typed_numbers.found(text)
    ]
    return found + [
        f"docs/typed_numbers.py allows {phrase!r}, which is on no page"
        for phrase in typed_numbers.unused("\n".join(texts.values()))
    ]


def _without_what_waits(source: str) -> str:
    """With as many lines as before."""

    def blank(later: re.Match[str]) -> str:
        return f"\n{later[2]}\n" + "\n" * later[3].count("\n") + "\n"

    return PLACE.sub("", LATER.sub(blank, source))


def _sources() -> list[Path]:
    return [file for sources in PAGES.values() for file in sources]


def _name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix() if file.is_relative_to(ROOT) else file.name


if __name__ == "__main__":
    main()
