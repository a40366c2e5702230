"""What pages show of the committed reports."""

import importlib
from pathlib import Path
from typing import Any

import pytest

speed: Any = importlib.import_module("speed")


def test_what_was_not_measured_is_said() -> None:
    row = {"name": "a", "value": None, "unit": "s", "min": None, "max": None, "repeats": 0}
    row |= {"compile_seconds": None, "note": "no torch"}
    one = {"device": "CPU", "versions": {"jax": "1"}, "ratios": {"r": None, "s": 2.0}, "rows": []}
    other = {**one, "device": "other", "ratios": {"t": 3.0}, "rows": [row]}
    tables = speed.tables([one, other])
    assert tables["ratios"].splitlines() == [
        "| ratio | CPU | other |",
        "|---|---|---|",
        "| `r` | not measured | not measured |",
        "| `s` | 2 | not measured |",
        "| `t` | not measured | 3 |",
    ]
    assert "| `a` | not measured | | | | | no torch |" in tables["speeds"]


def test_a_sentence_may_quote_what_one_machine_measured() -> None:
    row = {"name": "scoring/x", "note": "105,618,432 FLOP a state"}
    quartiles = {"r": [38.04, 41.2]}
    one = {"ratios": {"r": 38.9, "s": 2.0}, "quartiles": quartiles, "rows": [row]}
    other = {"ratios": {"r": None, "s": 3.0}, "rows": []}
    numbers = speed.numbers([one, other])
    right = {"r": "39", "r.interval": "38.9 [38, 41.2]", "scoring/x.millions": "106 million"}
    assert numbers == right


def test_another_machines_report_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "cpu.json"
    path.write_text('{"device": "another", "versions": {}, "rows": [], "ratios": {}}')

    def measured(quick: bool) -> None:
        raise AssertionError(quick)

    monkeypatch.setenv("XLA_FLAGS", "")  # which the program would set for all that come after
    throughput: Any = importlib.import_module("throughput")
    monkeypatch.setitem(throughput.SUITES, "search", measured)
    monkeypatch.setattr("sys.argv", ["throughput.py", "--only", "search", "--json", str(path)])
    with pytest.raises(SystemExit, match="another machine"):
        throughput.main()
