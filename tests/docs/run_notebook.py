"""Executes a notebook with this interpreter and this tree; as a script, renews the quick start."""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "notebooks" / "quickstart.ipynb"


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


def main() -> None:
    """Write the quick start back with new outputs."""
    notebook = nbformat.read(QUICKSTART, as_version=4)
    execute(notebook)
    nbformat.write(notebook, QUICKSTART)


if __name__ == "__main__":
    sys.exit(main())
