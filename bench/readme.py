"""Write the README's tables of speeds from the reports: `python bench/readme.py`.

A report a machine. The tables stand between two comment lines; a test holds them against
`bench/results/cpu*.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
REPORTS = sorted((ROOT / "bench" / "results").glob("cpu*.json"))
README = ROOT / "README.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def main() -> None:
    README.write_text(replace(README.read_text(), read()))


def read() -> list[dict[str, Any]]:
    """The committed reports."""
    return [json.loads(path.read_text()) for path in REPORTS]


def replace(readme: str, reports: list[dict[str, Any]]) -> str:
    """The README with the tables of these reports."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n\n".join(map(table, reports))
    return f"{before}{BEGIN}\n{tables}\n{END}{after}"


def table(report: dict[str, Any]) -> str:
    """Machine, ratios and rows, in Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    lines = [f"{report['device']}; {versions}.", "", "| ratio | |", "|---|---|"]
    for name, value in report["ratios"].items():
        lines.append(f"| `{name}` | {'not measured' if value is None else _number(value)} |")
    lines += ["", "| row | median | range | compiled in | memory | |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, *(_line(row) for row in report["rows"])])


def _line(row: dict[str, Any]) -> str:
    if row["value"] is None:
        return f"| `{row['name']}` | not measured | | | | {row['note']} |"
    median = f"{_number(row['value'])} {row['unit']}"
    spread = f"{_number(row['min'])} – {_number(row['max'])}" if row["repeats"] > 1 else ""
    seconds, memory = row["compile_seconds"], row.get("memory_bytes")
    compiled = "" if seconds is None else f"{seconds:.1f} s"
    held = "" if memory is None else f"{memory / 1e6:,.2f} MB"
    return f"| `{row['name']}` | {median} | {spread} | {compiled} | {held} | {row['note']} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
