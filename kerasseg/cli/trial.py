"""The process of one trial: `kerasseg` as it is typed, but it ends with the sweep that began it.

So a sweep that is killed leaves no training behind that nobody waits for: whoever shares the sweep takes the
trial again, and goes on from its last checkpoint. Only Linux knows such processes.
"""

from __future__ import annotations

import ctypes
import signal
import sys

from kerasseg.cli.main import main

PR_SET_PDEATHSIG = 1  # of prctl(2)


def end_with_parent() -> None:
    """Let the system kill this process when the one that began it ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    end_with_parent()
    main()
