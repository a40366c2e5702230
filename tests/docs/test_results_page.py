"""The tables of docs/results.md are the committed figures'."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
results_page: Any = importlib.import_module("results_page")


def test_the_page_holds_the_committed_figures():
    page = results_page.PAGE.read_text()
    assert results_page.renewed(page) == page


def test_a_table_without_a_place_is_missed(monkeypatch, tmp_path):
    (tmp_path / "some_figures.json").write_text("{}")
    (tmp_path / "some_figures.py").write_text("def tables(figures):\n    return {'a': '| 1 |'}\n")
    monkeypatch.setattr(results_page, "FIGURES", tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert results_page.renewed("<!-- a: begin -->\n<!-- a: end -->\n") == (
        "<!-- a: begin -->\n| 1 |\n<!-- a: end -->\n"
    )
    with pytest.raises(ValueError, match="no place for the table a"):
        results_page.renewed("nothing")
