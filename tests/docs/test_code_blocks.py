"""The Python of README.md and of docs/library.md runs as it stands, block after block of a page."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lprl_jax.version import __version__

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^(<!-- not run -->\n)?```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: str) -> list[str]:
    """Those that are run."""
    return [code for skipped, code in BLOCK.findall((ROOT / page).read_text()) if not skipped]


@pytest.mark.parametrize(("page", "least"), [("README.md", 1), ("docs/library.md", 3)])
def test_a_page_runs(
    page: str,
    least: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    found = blocks(page)
    assert len(found) >= least
    for code in found:
        exec(code, names)
    assert capsys.readouterr().out
    played = names["algorithm"].evaluate(names["state"], names["data"], 4)["success"]
    assert ((played >= 0) & (played <= 1)).all()


def test_it_is_cited_by_its_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == __version__
    assert cited["license"] == "Apache-2.0"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 170
