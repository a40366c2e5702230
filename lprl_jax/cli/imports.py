"""What a command imports, without what nothing here uses and without time that is spent in vain.

gymnax imports seaborn, and so scipy's statistics and pandas, for the colours of one picture of
Pong; transformers imports torch and TensorFlow wherever it finds them. Both cost more than JAX.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

PUT_OFF = ("seaborn",)
"""Modules that are loaded when something of them is first used."""
UNUSED = {"USE_TORCH": "0", "USE_TF": "0"}
"""Variables of transformers: weights are read, and models run, without either."""


class _Later(MetaPathFinder):
    """Finds the modules of PUT_OFF where they are, and lets Python load them on first use."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Of one of these; of others, nothing."""
        if fullname not in PUT_OFF:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


@contextlib.contextmanager
def lightly() -> Iterator[None]:
    """Within, a program imports what it consists of; for one that is a process of its own.

    What is imported stays to the end: the collector looks for garbage neither among it meanwhile,
    which takes a fifth of the time, nor later.
    """
    for name, value in UNUSED.items():
        os.environ.setdefault(name, value)
    later, collects = _Later(), gc.isenabled()
    sys.meta_path.insert(0, later)
    gc.disable()
    try:
        yield
    finally:
        sys.meta_path.remove(later)
        gc.freeze()
        if collects:
            gc.enable()
