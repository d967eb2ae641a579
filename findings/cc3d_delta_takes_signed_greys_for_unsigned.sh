#!/usr/bin/env bash
# connected-components-3d 4.1.1: with `delta`, neighbours whose values differ by no more than it are one object. In int16,
# the type of CT volumes, values on both sides of zero are compared as if they were unsigned: -1 and 2 are 65,533 apart
# and stay two objects at delta 10, while the same numbers in float32, or 1 and 4 in int16, are one.
#
# Seen: int16 -1, 2: 2 objects; int16 1, 4: 1; float32 -1, 2: 1
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check connected-components-3d==4.1.1 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import cc3d
import numpy as np

seen = []
for values, kind in (((-1, 2), np.int16), ((1, 4), np.int16), ((-1, 2), np.float32)):
    volume = np.array(values, kind).reshape(1, 1, 2)
    _, count = cc3d.connected_components(volume, connectivity=26, delta=10, return_N=True)
    print(kind.__name__, values, count)
    seen.append(count)
sys.exit(seen != [2, 1, 1])
PYTHON
