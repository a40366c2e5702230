"""Executes a notebook with this interpreter and this tree, and says what is wrong with its file.

    python tests/docs/run_notebook.py [NAME ...]

renews the outputs of these notebooks, by default of all.
"""

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = {path.stem: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
QUICKSTART = NOTEBOOKS["quickstart"]
MOST = 300_000
"""Characters of a notebook's file, at most."""
PRIVATE = r"/(work|tmp|home|root|usr|content|Users)/|\d{4}-\d\d-\d\dT\d\d:"
"""Paths of a machine, and times of day."""


def execute(notebook: nbformat.NotebookNode) -> None:
    """Run all cells, keeping their outputs.

    Args:
        notebook: Gets the outputs.

    Raises:
        CellExecutionError: of the first cell that fails.
    """
    # Without folders to search, the kernel is ipykernel under `sys.executable`, whatever kernels
    # are installed as "python3" elsewhere.
    specs = KernelSpecManager(kernel_dirs=[])
    sockets = Path(tempfile.mkdtemp()) / "kernel"  # of its own: two may run at a time
    manager = AsyncKernelManager(
        kernel_name="python3", kernel_spec_manager=specs, transport="ipc", ip=str(sockets)
    )
    path = [str(ROOT), str(ROOT / "envs"), *filter(None, [os.environ.get("PYTHONPATH")])]
    ours = {
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONWARNINGS": "ignore:IProgress not found",  # tqdm, where there are no ipywidgets
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "false",  # it trains for longer than it compiles
    }
    client = NotebookClient(
        notebook, km=manager, timeout=300, record_timing=False, coalesce_streams=True
    )
    client.execute(env={**os.environ, **ours}, cleanup_kc=True)
    # Of the interpreter's description, its version would change with every machine.
    notebook.metadata["language_info"] = {"name": "python"}


def printed(cell: nbformat.NotebookNode) -> str:
    """What a cell has printed."""
    return "".join(out.text for out in cell.get("outputs", ()) if out.get("name") == "stdout")


def kinds(cell: nbformat.NotebookNode) -> list[str]:
    """What a cell puts out, warnings left aside: text, formats of its results."""
    results = [kind for out in cell.get("outputs", ()) for kind in out.get("data", ())]
    return ["printed"] * bool(printed(cell)) + sorted(results)


def faults(path: Path, anew: nbformat.NotebookNode) -> list[str]:
    """Why a notebook's file should not be committed as it is.

    Args:
        path: The file.
        anew: The same, executed now; cells behind its last do not count.
    """
    text, notebook = path.read_text(), nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    found = [f"{len(text):,} characters"] * (len(text) >= MOST)
    found += [f"says {match.group()!r}" for match in re.finditer(PRIVATE, text)]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append("was not run from top to bottom")
    for cell, new in zip(notebook.cells, anew.cells, strict=False):
        if any(out.get("name") == "stderr" for out in cell.get("outputs", ())):
            found.append(f"the cell {cell.id!r} has written to stderr")
        # The committed outputs belong to these cells: the same kinds come out anew.
        if kinds(cell) != kinds(new):
            found.append(f"the cell {cell.id!r} has put out {kinds(cell)}, and now {kinds(new)}")
    return found


def main() -> None:
    """Write notebooks back with new outputs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NOTEBOOKS))
    names = parser.parse_args().names or list(NOTEBOOKS)
    if unknown := [name for name in names if name not in NOTEBOOKS]:
        parser.error(f"no notebook {unknown[0]!r}; valid: {', '.join(NOTEBOOKS)}")
    for name in names:
        notebook = nbformat.read(NOTEBOOKS[name], as_version=4)
        execute(notebook)
        nbformat.write(notebook, NOTEBOOKS[name])


if __name__ == "__main__":
    sys.exit(main())
