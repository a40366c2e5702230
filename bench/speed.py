"""What was measured of speeds, as pages show it: `make figures` writes them.

The ratios stand in `docs/speed.md`, a column a machine, with every row; those of most interest
stand before the others. Figures are the reports of `bench/throughput.py`,
`bench/results/{cpu,gpu,tpu}*.json`. Speeds depend on a model's shape, not on its weights, so that
reports name no digest.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
REPORTS = sorted(
    path
    for kind in ("cpu", "gpu", "tpu")
    for path in (ROOT / "bench/results").glob(f"{kind}*.json")
)

HEADLINES = (
    "training/dqn_vs_purejaxrl",
    "training/dqn_vs_purejaxrl/32_runs",
    "training/dqn_vs_rejax",
    "training/dqn_vs_rejax/with_replacement",
    "training/ppo_vs_purejaxrl",
    "training/ppo_vs_rejax",
    "training/td3_vs_rejax",
    "training/td3_vs_rejax/with_replacement",
    "training/sac_vs_rejax",
    "training/sac_vs_rejax/with_replacement",
    "training/dqn_prior_table_vs_torch_cached/1_core",
    "training/dqn_prior_live_vs_torch_live",
    "dqn_prior_table/dqn",
    "training/fraction_of_floor",
    "scoring/fraction_of_floor",
    "scoring/ours_vs_torch",
    "scoring/smollm2_vs_llama_cpp",
    "search/slinvit_vs_numpy",
    "search/slinvit_vs_mctx",
    "search/slinvit_vs_mctx/uniform_prior",
    "frozen_lake/ours_vs_gymnax",
    "frozen_lake/ours_vs_gymnax_firm",
)
"""Ratios that stand before the others."""

Report = dict[str, Any]


def read() -> list[Report]:
    """The committed reports."""
    return [json.loads(path.read_text()) for path in REPORTS]


def complaints() -> list[str]:
    """Reports of which a row does not name the commit at which it was measured, a line each."""
    return [
        f"{path.relative_to(ROOT).as_posix()}: {row['name']} names no commit"
        for path, report in zip(REPORTS, read(), strict=True)
        for row in report["rows"]
        if not row.get("commit")
    ]


def tables(reports: list[Report]) -> dict[str, str]:
    """The ratios, and every row of every report."""
    names = dict.fromkeys(name for report in reports for name in report["ratios"])
    return {
        "headlines": ratios(reports, [name for name in HEADLINES if name in names]),
        "ratios": ratios(reports, [*names]),
        "speeds": "\n\n".join(map(section, reports)),
    }


def numbers(reports: list[Report]) -> dict[str, str]:
    """What sentences quote: `RATIO` and `RATIO.interval`, where one machine measured it;
    `ROW.millions` of operations a state.
    """
    found = {}
    for name in dict.fromkeys(name for report in reports for name in report["ratios"]):
        values = [report["ratios"].get(name) for report in reports]
        measured = [value for value in values if value is not None]
        if len(measured) == 1:
            found[name] = _number(measured[0]) if measured[0] < 10 else f"{measured[0]:,.0f}"
            own = next(report for report in reports if report["ratios"].get(name) is not None)
            found[f"{name}.interval"] = _ratio(own, name)
    for row in (row for report in reports for row in report["rows"]):
        if flops := re.match(r"([\d,]+) FLOP a state", row["note"]):
            millions = int(flops[1].replace(",", "")) / 1e6
            found[f"{row['name']}.millions"] = f"{millions:.0f} million"
    return found


def ratios(reports: list[Report], names: list[str]) -> str:
    """A table: a line a ratio, with its quartiles where they are known; a column a machine."""
    machines = [report["device"] for report in reports]
    lines = [f"| ratio | {' | '.join(machines)} |", f"|---|{'---|' * len(machines)}"]
    for name in names:
        values = [_ratio(report, name) for report in reports]
        lines.append(f"| `{name}` | {' | '.join(values)} |")
    return "\n".join(lines)


def section(report: Report) -> str:
    """Machine, versions and rows, in Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    lines = [f"### {report['device']}", "", f"{versions}.", ""]
    lines += [
        "| row | median | range | of | compiled in | memory | |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_line(row) for row in report["rows"])])


def _ratio(report: Report, name: str) -> str:
    value, quartiles = (report.get(part, {}).get(name) for part in ("ratios", "quartiles"))
    if value is None:
        return "not measured"
    spread = f" [{', '.join(map(_number, quartiles))}]" if quartiles else ""
    return f"{_number(value)}{spread}"


def _line(row: dict[str, Any]) -> str:
    if row["value"] is None:
        return f"| `{row['name']}` | not measured | | | | | {row['note']} |"
    median = f"{_number(row['value'])} {row['unit']}"
    spread = f"{_number(row['min'])} – {_number(row['max'])}" if row["repeats"] > 1 else ""
    seconds, memory = row["compile_seconds"], row.get("memory_bytes")
    compiled = "" if seconds is None else f"{seconds:.1f} s"
    held = "" if memory is None else f"{memory / 1e6:,.2f} MB"
    cells = [f"`{row['name']}`", median, spread, f"{row['repeats']}", compiled, held, row["note"]]
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
