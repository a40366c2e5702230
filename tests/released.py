"""Try what is published, away from this tree: `make release-check PYTHONS="3.11 3.13"`.

python tests/released.py build/release 3.11 3.12 ~/bin/python3.13

The folder holds a wheel and an sdist. A version that the machine has, or an interpreter, gets the
wheel in a virtual environment of its own, and runs it in an empty directory. Of another version it
is only found out, by uv, that every dependency has a wheel for it.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

MOST_BYTES = 20_000_000
"""Of a wheel."""
NOTEBOOK = "notebooks/quickstart.ipynb"
"""Of the sdist, which runs beside the wheel."""
FILES = ("CHANGELOG.md", "CITATION.cff", "LICENSE", "Makefile", "mkdocs.yml", NOTEBOOK)
"""Of the sdist."""
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


def main(folder: Path, pythons: list[str]) -> None:
    """Raises AssertionError or CalledProcessError where something is wrong."""
    (wheel,), (sdist,) = folder.absolute().glob("*.whl"), folder.glob("*.tar.gz")
    assert wheel.stat().st_size <= MOST_BYTES, f"{wheel} has {wheel.stat().st_size:,} bytes"
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB")
    quickstart = _check_sdist(sdist)
    done: set[str] = set()
    for python in pythons:
        if (program := _program(python)) is None:
            _resolve(wheel, python)
            print(f"Python {python}: resolved, not run", flush=True)
            continue
        if (version := _version(program)) in done:
            continue
        done.add(version)
        with tempfile.TemporaryDirectory() as made:
            programs = Path(made) / "venv" / "bin"
            subprocess.run([program, "-m", "venv", programs.parent], check=True)
            _install(programs, str(wheel), "ipykernel", "nbclient")
            (Path(made) / "empty").mkdir()
            _use(programs, Path(made) / "empty", quickstart)
        print(f"Python {version}: ok", flush=True)


def _check_sdist(sdist: Path) -> bytes:
    """Raise where a file is missing; returns the notebook."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2]: name for name in archive.getnames()}
        for needed in FILES:
            assert needed in names, f"{needed} is not in {sdist}"
        notebook = archive.extractfile(names[NOTEBOOK])
        assert notebook
        return notebook.read()


def _program(python: str) -> str | None:
    """The interpreter of a version, None where the machine has none that starts."""
    named = f"python{python}" if python[0].isdigit() else python
    found = shutil.which(named)
    starts = found and not subprocess.run([found, "-c", ""], capture_output=True).returncode
    assert starts or named != python, f"{python} is no Python that starts"
    return found if starts else None


def _version(program: str) -> str:
    code = "import platform; print(platform.python_version())"
    return subprocess.check_output([program, "-c", code], text=True).strip()


def _install(programs: Path, *what: str) -> None:
    subprocess.run([programs / "python", "-m", "pip", "install", "--quiet", *what], check=True)


def _resolve(wheel: Path, version: str) -> None:
    """Find a wheel of every dependency for a Python that is not here."""
    uv = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "-", "--no-header"]
    subprocess.run(
        [*uv, "--python-version", version, "--only-binary", ":all:"],
        input=f"lprl-jax @ {wheel.as_uri()}\n",
        stdout=subprocess.DEVNULL,
        text=True,
        check=True,
    )


def _use(programs: Path, empty: Path, quickstart: bytes) -> None:
    """What a person does first, in an empty directory."""
    for call in CALLS:
        done = subprocess.run(
            [programs / "lprl", *call], cwd=empty, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"lprl {' '.join(call)}: {done.stderr}"
        print(f"  ok  lprl {' '.join(call)}", flush=True)
    (empty / "quickstart.ipynb").write_bytes(quickstart)
    subprocess.run([programs / "jupyter-execute", "quickstart.ipynb"], cwd=empty, check=True)
    print(f"  ok  {NOTEBOOK}", flush=True)
    code = "import lprl_jax; print(lprl_jax.__file__)"
    found = subprocess.check_output([programs / "python", "-c", code], cwd=empty, text=True)
    assert str(programs.parent) in found, found


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
