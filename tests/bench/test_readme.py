"""The README's ratios and the page of speeds are the committed reports'."""

import importlib
from typing import Any

readme: Any = importlib.import_module("readme")


def test_both_pages_hold_the_committed_figures() -> None:
    reports, text = readme.read(), readme.README.read_text()
    assert readme.replace(text, reports) == text
    assert readme.PAGE.read_text() == readme.page(reports)
    for report in reports:
        assert report["device"] in text
        assert f"| `{next(iter(report['ratios']))}` |" in text
        assert f"| `{report['rows'][0]['name']}` |" in readme.PAGE.read_text()


def test_what_was_not_measured_is_said() -> None:
    row = {"name": "a", "value": None, "unit": "s", "min": None, "max": None, "repeats": 0}
    row |= {"compile_seconds": None, "note": "no torch"}
    one = {"device": "CPU", "versions": {"jax": "1"}, "ratios": {"r": None, "s": 2.0}, "rows": []}
    other = {**one, "device": "other", "ratios": {"t": 3.0}, "rows": [row]}
    assert readme.ratios([one, other]).splitlines() == [
        "| ratio | CPU | other |",
        "|---|---|---|",
        "| `r` | not measured | not measured |",
        "| `s` | 2 | not measured |",
        "| `t` | not measured | 3 |",
    ]
    assert "| `a` | not measured | | | | no torch |" in readme.page([one, other])
