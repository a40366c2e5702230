"""Write the tables of `results.md` from the committed figures: `python docs/results_page.py`.

Figures `docs/results/NAME.json` are written by `docs/experiments/NAME.py`, whose `tables` turns
them into Markdown. A table stands on the page between two comment lines that carry its name.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).parent
PAGE = DOCS / "results.md"
FIGURES = DOCS / "results"
EXPERIMENTS = DOCS / "experiments"


def main() -> None:
    """Renew the page."""
    PAGE.write_text(renewed(PAGE.read_text()))


def renewed(page: str) -> str:
    """The page with all tables as the committed figures have them.

    Raises:
        ValueError: if a table has no place on the page.
    """
    for file in sorted(FIGURES.glob("*.json")):
        tables = _experiment(file.stem).tables(json.loads(file.read_text()))
        for name, table in tables.items():
            begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
            before, found, rest = page.partition(begin)
            _, closed, after = rest.partition(end)
            if not (found and closed):
                raise ValueError(f"{PAGE} has no place for the table {name}")
            page = f"{before}{begin}\n{table}\n{end}{after}"
    return page


def _experiment(name: str) -> ModuleType:
    """The program that wrote these figures; programs elsewhere may have its name."""
    spec = importlib.util.spec_from_file_location(f"{name}_experiment", EXPERIMENTS / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ValueError(f"there is no experiment {name} in {EXPERIMENTS}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
