"""Try what is published, away from this tree: `make release-check`.

python tests/released.py build/release    # holds a wheel, an sdist, and `venv` with the wheel in it
"""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

MOST_BYTES = 20_000_000
"""Of a wheel."""
NOTEBOOK = "notebooks/quickstart.ipynb"
"""Of the sdist, which runs beside the wheel."""
CALLS = (
    ("--version",),
    ("envs",),
    ("config", "frozen_lake_dqn_prior"),
    ("demo", "--quiet", "--out", "demo"),
    ("train", "frozen_lake_dqn_prior", "total_steps=500", "--quiet", "--out", "run"),
    ("eval", "run"),
    ("watch", "run"),
    ("report", "run", "-o", "report.html"),
)
"""Of `lprl`, in an empty directory."""


def main(folder: Path) -> None:
    """Raises AssertionError or CalledProcessError where something is wrong."""
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    assert wheel.stat().st_size <= MOST_BYTES, f"{wheel} has {wheel.stat().st_size:,} bytes"
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2]: name for name in archive.getnames()}
        notebook = archive.extractfile(names[NOTEBOOK])
        assert notebook
        quickstart = notebook.read()
    for needed in ("CHANGELOG.md", "CITATION.cff", "LICENSE", "Makefile", "mkdocs.yml"):
        assert needed in names, f"{needed} is not in {sdist}"
    programs = (folder / "venv" / "bin").absolute()
    with tempfile.TemporaryDirectory() as empty:
        for call in CALLS:
            done = subprocess.run(
                [programs / "lprl", *call], cwd=empty, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"lprl {' '.join(call)}: {done.stderr}"
            print(f"ok  lprl {' '.join(call)}", flush=True)
        (Path(empty) / "quickstart.ipynb").write_bytes(quickstart)
        subprocess.run([programs / "jupyter-execute", "quickstart.ipynb"], cwd=empty, check=True)
        print(f"ok  {NOTEBOOK}", flush=True)
        code = "import lprl_jax; print(lprl_jax.__file__)"
        found = subprocess.check_output([programs / "python", "-c", code], cwd=empty, text=True)
        assert str(programs.parent) in found, found
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
