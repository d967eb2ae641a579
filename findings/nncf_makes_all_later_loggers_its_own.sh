#!/usr/bin/env bash
# NNCF 3.4.0: `import nncf` calls `logging.setLoggerClass` and leaves it so. Every logger that any library or the program
# makes afterwards is an `NNCFLogger`; a class that the program had set before by `setLoggerClass` is no longer used, and
# nothing says so.
#
# Seen: Program before, NNCFLogger after
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check nncf==3.4.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' 2>/dev/null
import logging
import sys


class Program(logging.Logger):
    """What a program wants its loggers to be."""


logging.setLoggerClass(Program)
before = type(logging.getLogger("made.before")).__name__

import nncf  # noqa: E402, F401

after = type(logging.getLogger("made.after")).__name__
print(before, "before,", after, "after")
sys.exit((before, after) != ("Program", "NNCFLogger"))
PYTHON
