"""Write the tables of `results.md` from the committed figures: `python docs/results_page.py`.

Figures `docs/results/NAME.json` are written by `docs/experiments/NAME.py`, whose `tables` turns
them into Markdown. A table stands on the page between two comment lines that carry its name.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

DOCS = Path(__file__).parent
PAGE = DOCS / "results.md"
FIGURES = DOCS / "results"

sys.path.insert(0, str(DOCS / "experiments"))


def main() -> None:
    """Renew the page."""
    PAGE.write_text(renewed(PAGE.read_text()))


def renewed(page: str) -> str:
    """The page with all tables as the committed figures have them.

    Raises:
        ValueError: if a table has no place on the page.
    """
    for file in sorted(FIGURES.glob("*.json")):
        tables = importlib.import_module(file.stem).tables(json.loads(file.read_text()))
        for name, table in tables.items():
            begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
            before, found, rest = page.partition(begin)
            _, closed, after = rest.partition(end)
            if not (found and closed):
                raise ValueError(f"{PAGE} has no place for the table {name}")
            page = f"{before}{begin}\n{table}\n{end}{after}"
    return page


if __name__ == "__main__":
    main()
