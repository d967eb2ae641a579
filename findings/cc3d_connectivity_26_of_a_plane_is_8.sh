#!/usr/bin/env bash
# connected-components-3d 4.1.1 takes the connectivities of volumes for 2-D images as well: 26 of a plane is 8, diagonal
# neighbours are one object, though 8 and 4 are the numbers that it documents for planes; 6 is 4. One setting therefore
# serves a stack and its single slices, and a plane given as (1, Y, X) is labelled as (Y, X) is.
#
# Seen: a diagonal pair: 1 object at 26 and 8, 2 at 6 and 4, as a plane and as a stack of one
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check connected-components-3d==4.1.1 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import cc3d
import numpy as np

diagonal = np.eye(2, dtype=np.uint8)
count = lambda image, connectivity: cc3d.connected_components(image, connectivity=connectivity, return_N=True)[1]
plane = {connectivity: count(diagonal, connectivity) for connectivity in (4, 6, 8, 26)}
stack = {connectivity: count(diagonal[None], connectivity) for connectivity in (6, 26)}
print(plane, stack)
sys.exit((plane, stack) != ({4: 2, 6: 2, 8: 1, 26: 1}, {6: 2, 26: 1}))
PYTHON
