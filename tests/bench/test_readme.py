"""The README's table of speeds is the committed report's."""

import importlib
from typing import Any

readme: Any = importlib.import_module("readme")


def test_the_readme_holds_the_committed_figures() -> None:
    reports, text = readme.read(), readme.README.read_text()
    assert readme.replace(text, reports) == text
    for report in reports:
        assert report["device"] in text
        assert f"| `{report['rows'][0]['name']}` |" in text


def test_what_was_not_measured_is_said() -> None:
    row = {"name": "a", "value": None, "unit": "s", "min": None, "max": None, "repeats": 0}
    row |= {"compile_seconds": None, "note": "no torch"}
    report = {"device": "CPU", "versions": {"jax": "1"}, "ratios": {"r": None}, "rows": [row]}
    text = readme.table(report)
    assert "| `r` | not measured |" in text
    assert "| `a` | not measured | | | | no torch |" in text
