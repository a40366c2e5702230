"""What pages show of the committed reports."""

import importlib
from typing import Any

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
    assert "| `a` | not measured | | | | no torch |" in tables["speeds"]


def test_a_sentence_may_quote_what_one_machine_measured() -> None:
    row = {"name": "scoring/x", "note": "105,618,432 FLOP a state"}
    one = {"ratios": {"r": 38.9, "s": 2.0}, "rows": [row]}
    other = {"ratios": {"r": None, "s": 3.0}, "rows": []}
    numbers = speed.numbers([one, other])
    assert numbers == {"r": "39", "scoring/x.millions": "106 million"}
