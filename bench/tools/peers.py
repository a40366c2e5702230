"""Where other people's packages are: an interpreter each, or an interpreter and a clone."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

import jax


@dataclasses.dataclass(frozen=True)
class Peer:
    """A package that is imported and run from its own place."""

    name: str
    """Of the package."""
    python: str
    """The variable that names an interpreter with what it needs."""
    version: str = ""
    """The one that is compared with; none where it is a clone."""
    clone: str = ""
    """The variable that names a clone of it, if it is not installed."""
    commit: str = ""
    """Of the clone; beside a version, the commit that has the same files."""

    def unavailable(self) -> str:
        """Why it cannot be measured here; empty if it can."""
        for name in filter(None, (self.clone, self.python)):
            path = os.environ.get(name)
            if not path:
                return f"{name} is not set; see bench/tools/peers.py"
            if not Path(path).exists():
                return f"{name} is {path}, which does not exist"
        return self._other_commit() if self.clone else self._other_version()

    def command(self, program: str) -> list[str]:
        """Runs a program of `bench/peers`; options are to be added."""
        script = Path(__file__).parents[1] / "peers" / program
        clone = [os.environ[self.clone]] if self.clone else []
        return [os.environ[self.python], str(script), *clone]

    def note(self, about: dict[str, object]) -> str:
        """What ran, from what a program says of itself.

        Raises:
            RuntimeError: if its JAX is not ours: programs are to be compared, not compilers.
        """
        versions, instead = about["versions"], about.get("stand_ins")
        assert isinstance(versions, dict)
        if versions["jax"] != jax.__version__:
            found = versions["jax"]
            raise RuntimeError(f"{self.python} has jax {found}, here is {jax.__version__}")
        named = [f"commit {self.commit[:7]}"] if self.commit else []
        named += [f"{name} {version}" for name, version in versions.items()]
        empty = f"; empty modules for {' and '.join(instead)}" if isinstance(instead, list) else ""
        return ", ".join(named) + (empty if instead else "")

    def _other_commit(self) -> str:
        git = ["git", "-C", os.environ[self.clone]]
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        found = head.stdout.strip()
        if found != self.commit:
            return f"the clone of {self.name} is at {found or 'no commit'}, not at {self.commit}"
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", self.name])
        return f"the clone of {self.name} differs from {self.commit}" if changed.returncode else ""

    def _other_version(self) -> str:
        ask = f"import importlib.metadata as m; print(m.version({self.name!r}))"
        command = [os.environ[self.python], "-c", ask]
        found = subprocess.run(command, capture_output=True, text=True).stdout.strip()
        if found == self.version:
            return ""
        return f"{self.python} has {self.name} {found or 'not'}, not {self.version}"


PUREJAXRL = Peer(
    "purejaxrl",
    "PUREJAXRL_PYTHON",
    clone="PUREJAXRL",
    commit="31756b197773a52db763fdbe6d635e4b46522a73",
)
"""What it needs: `peers/purejaxrl_ppo.py` and `purejaxrl_dqn.py` say."""
REJAX = Peer(
    "rejax", "REJAX_PYTHON", version="0.1.3", commit="d7510951b7a89ca8463cb2a6d18e21750ec454ff"
)
"""What it needs: `peers/rejax_training.py` says."""
JAXNASIUM = Peer("jaxnasium", "JAXNASIUM_PYTHON", version="0.1.1")
"""What it needs: `peers/jaxnasium_ppo.py` says."""
MCTX = Peer("mctx", "MCTX_PYTHON", version="0.0.71")
"""What it needs: `peers/mctx_blocks_world.py` says."""
