"""A command's seconds and the most memory it held: `python bench/tools/peak.py COMMAND ...`.

A JSON line is printed; what the command prints goes to the errors. It must be a process of its own
and a small one: to a child the system counts what its parent held when it was started.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

BYTES = 1 if sys.platform == "darwin" else 1024
"""Of what the system counts memory in."""


def main() -> None:
    started = time.perf_counter()
    status = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
    seconds = time.perf_counter() - started
    if status:
        sys.exit(status)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * BYTES
    print(json.dumps({"seconds": seconds, "memory_bytes": memory}))


if __name__ == "__main__":
    main()
