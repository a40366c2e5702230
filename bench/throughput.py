"""Measure throughput: `python bench/throughput.py [--quick] [--json FILE]`.

Compilation is timed apart; contenders of a ratio take turns; a figure is a median of 10 repeats or
more, with its range, but where a repeat takes long and the report says how many there were; a ratio
is one of pairs, with their quartiles. Run it alone on the machine.
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

from suites import (
    adapters,
    against_torch,
    against_torch_live,
    device,
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
    scale,
    scoring,
    scoring_published,
    search,
    search_vs_mctx,
    startup,
    tabular,
    td3_vs_rejax,
    thousand_runs,
    training,
    wide_texts,
)
from tools import timing

from lprl_jax.files import origin

SUITES = {
    "environments": environments.run,
    "scoring": scoring.run,
    "scoring_published": scoring_published.run,
    "training": training.run,
    "torch": against_torch.run,
    "torch_live": against_torch_live.run,
    "thousand_runs": thousand_runs.run,
    "search": search.run,
    "mctx": search_vs_mctx.run,
    "startup": startup.run,
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
    "scale": scale.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure throughput.")
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument(
        "--json", type=Path, help="write the report here too; with --only, renew it"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--only", choices=SUITES, action="append", help="one suite; repeatable")
    what.add_argument(
        "--device-suite", action="store_true", help="what decides on an accelerator, in 8 minutes"
    )
    options = parser.parse_args()
    is_part = bool(options.only or options.device_suite)
    suites = {name: SUITES[name] for name in options.only or SUITES}
    suites = device.PARTS if options.device_suite else suites

    report = {"device": origin.machine(), "versions": versions(), "rows": [], "ratios": {}}
    report["quartiles"] = {}
    old: dict[str, Any] | None = None
    if is_part and options.json and options.json.exists():
        old = dict(json.loads(options.json.read_text()))
        require_alike(old, report)  # before anything is measured
    commit = origin.commit(Path(__file__).parents[1])
    for suite in suites.values():
        rows, ratios = suite(options.quick)
        report["rows"] += [dataclasses.asdict(row) | {"commit": commit} for row in rows]
        report["ratios"] |= timing.medians(ratios)
        report["quartiles"] |= {
            name: None if x is None else [x.lower, x.upper] for name, x in ratios.items()
        }
        for row in rows:
            print(line(row))
        for name, x in ratios.items():
            print(line_of_ratio(name, x), flush=True)
        if options.json:  # at once: what was measured stays, whatever comes next
            whole = report if old is None else renewed(old, report)
            options.json.write_text(json.dumps(whole, indent=1) + "\n")


def require_alike(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Leave, unless a report is of this machine and these versions."""
    if (old["device"], old["versions"]) != (new["device"], new["versions"]):
        raise SystemExit("the report is of another machine or of other versions; name a new file")


def renewed(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """A report in which some suites were measured again, on the same machine."""
    measured = {row["name"] for row in new["rows"]}
    rows = [row for row in old["rows"] if row["name"] not in measured] + new["rows"]
    both = {part: {**old.get(part, {}), **new[part]} for part in ("ratios", "quartiles")}
    return {**new, "rows": rows, **both}


def line(row: timing.Row) -> str:
    """A row, to be read."""
    if row.value is None:
        return f"{row.name:52} {'not measured':>14}: {row.note}"
    value, low, high = (_number(x) for x in (row.value, row.min, row.max))
    return f"{row.name:52} {value:>14} {row.unit}  [{low}, {high}]"


def _number(value: float | None) -> str:
    assert value is not None
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def line_of_ratio(name: str, ratio: timing.Ratio | None) -> str:
    """A ratio, to be read."""
    if ratio is None:
        return f"{name:52} {'not measured':>14}"
    return f"{name:52} {ratio.median:14.2f} x  [{ratio.lower:.3g}, {ratio.upper:.3g}]"


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
