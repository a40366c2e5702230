"""Measure throughput: `python bench/throughput.py [--quick] [--json FILE]`.

Compilation is timed apart; contenders of a ratio take turns; every figure is a median of at least
10 repeats, with its range. Run it alone on the machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

# A device a core, for suites that go over all devices; before JAX is imported.
os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count={os.cpu_count() or 1}")
sys.path.insert(0, str(Path(__file__).parent))

import jax
from suites import (
    adapters,
    against_torch,
    against_torch_live,
    dqn_vs_purejaxrl,
    dqn_vs_rejax,
    environments,
    lagr_training,
    memo_training,
    offline_training,
    policy_training,
    ppo_vs_jaxnasium,
    ppo_vs_purejaxrl,
    ppo_vs_rejax,
    sac_vs_rejax,
    scoring,
    scoring_published,
    search,
    tabular,
    td3_vs_rejax,
    thousand_runs,
    training,
    wide_texts,
)
from tools import timing

SUITES = {
    "environments": environments.run,
    "scoring": scoring.run,
    "scoring_published": scoring_published.run,
    "training": training.run,
    "torch": against_torch.run,
    "torch_live": against_torch_live.run,
    "thousand_runs": thousand_runs.run,
    "search": search.run,
    "tabular": tabular.run,
    "offline": offline_training.run,
    "policies": policy_training.run,
    "adapters": adapters.run,
    "lagr": lagr_training.run,
    "purejaxrl": ppo_vs_purejaxrl.run,
    "purejaxrl_dqn": dqn_vs_purejaxrl.run,
    "rejax": sac_vs_rejax.run,
    "rejax_dqn": dqn_vs_rejax.run,
    "rejax_ppo": ppo_vs_rejax.run,
    "rejax_td3": td3_vs_rejax.run,
    "jaxnasium": ppo_vs_jaxnasium.run,
    "wide_texts": wide_texts.run,
    "memo": memo_training.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure throughput.")
    parser.add_argument("--quick", action="store_true", help="about 30 minutes on 2 cores")
    parser.add_argument(
        "--json", type=Path, help="write the report here too; with --only, renew it"
    )
    parser.add_argument("--only", choices=SUITES, action="append", help="one suite; repeatable")
    options = parser.parse_args()

    report = {"device": device(), "versions": versions(), "rows": [], "ratios": {}}
    old: dict[str, Any] | None = None
    if options.only and options.json and options.json.exists():
        old = dict(json.loads(options.json.read_text()))
        require_alike(old, report)  # before anything is measured
    for name in options.only or SUITES:
        rows, ratios = SUITES[name](options.quick)
        report["rows"] += [dataclasses.asdict(row) for row in rows]
        report["ratios"] |= ratios
        for row in rows:
            print(line(row))
        for key, value in ratios.items():
            print(
                f"{key:52} {'not measured':>14}" if value is None else f"{key:52} {value:14.2f} x"
            )
    if options.json:
        if old is not None:
            report = renewed(old, report)
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def require_alike(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Leave, unless a report is of this machine and these versions."""
    if (old["device"], old["versions"]) != (new["device"], new["versions"]):
        raise SystemExit("the report is of another machine or of other versions; name a new file")


def renewed(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A report in which some suites were measured again, on the same machine."""
    measured = {row["name"] for row in new["rows"]}
    rows = [row for row in old["rows"] if row["name"] not in measured] + new["rows"]
    return {**new, "rows": rows, "ratios": {**old["ratios"], **new["ratios"]}}


def line(row: timing.Row) -> str:
    """A row, to be read."""
    if row.value is None:
        return f"{row.name:52} {'not measured':>14}: {row.note}"
    digits = ",.2f" if row.unit == "x" else ",.0f"
    low, high = (format(x, digits) for x in (row.min, row.max))
    return f"{row.name:52} {format(row.value, digits):>14} {row.unit}  [{low}, {high}]"


def device() -> str:
    """What this ran on."""
    first = jax.devices()[0]
    if first.platform != "cpu":
        return first.device_kind
    lines = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in (lines.read_text().splitlines() if lines.exists() else [])
        if line.startswith("model name")
    ]
    return f"CPU, {os.cpu_count()} cores, {names[0] if names else platform.machine()}"


def versions() -> dict[str, str]:
    """Of what matters for speed."""
    packages = ["lprl-jax", "jax", "jaxlib", "flax", "gymnax", "gymnasium", "numpy", "transformers"]
    if importlib.util.find_spec("torch"):
        packages.append("torch")
    return {"python": platform.python_version()} | {
        package: importlib.metadata.version(package) for package in packages
    }


if __name__ == "__main__":
    main()
