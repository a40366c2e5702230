"""Write what was measured where it is read: `python bench/readme.py`.

The ratios stand in the README between two comment lines, a column a machine; every row stands in
`docs/speed.md`. A test holds both against the reports, `bench/results/cpu*.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
REPORTS = sorted((ROOT / "bench" / "results").glob("cpu*.json"))
README, PAGE = ROOT / "README.md", ROOT / "docs" / "speed.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"

Report = dict[str, Any]


def main() -> None:
    reports = read()
    README.write_text(replace(README.read_text(), reports))
    PAGE.write_text(page(reports))


def read() -> list[Report]:
    """The committed reports."""
    return [json.loads(path.read_text()) for path in REPORTS]


def replace(readme: str, reports: list[Report]) -> str:
    """The README with the ratios of these reports."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{ratios(reports)}\n{END}{after}"


def ratios(reports: list[Report]) -> str:
    """A table: a line a ratio, a column a machine."""
    machines = [report["device"] for report in reports]
    names = dict.fromkeys(name for report in reports for name in report["ratios"])
    lines = [f"| ratio | {' | '.join(machines)} |", f"|---|{'---|' * len(machines)}"]
    for name in names:
        values = [_ratio(report, name) for report in reports]
        lines.append(f"| `{name}` | {' | '.join(values)} |")
    return "\n".join(lines)


def page(reports: list[Report]) -> str:
    """Every row of every report."""
    head = (
        "# Speed\n\nEvery row of `bench/throughput.py`, written by `python bench/readme.py`; what "
        "is measured and how is told in the README and at the top of each file in `bench/`."
    )
    return "\n\n".join([head, *map(section, reports)]) + "\n"


def section(report: Report) -> str:
    """Machine, versions and rows, in Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    lines = [f"## {report['device']}", "", f"{versions}.", ""]
    lines += ["| row | median | range | compiled in | memory | |", "|---|---|---|---|---|---|"]
    return "\n".join([*lines, *(_line(row) for row in report["rows"])])


def _ratio(report: Report, name: str) -> str:
    value = report["ratios"].get(name)
    return "not measured" if value is None else _number(value)


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
