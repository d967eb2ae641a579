#!/usr/bin/env bash
# connected-components-3d 4.1.1: `largest_k` numbers what it keeps from the smallest to the largest, so the largest
# object is k and not 1; but only where there are more than k objects. With k or fewer it leaves them in the order of
# their first voxels, and with k=1 it answers with booleans. Whoever takes label 1 for the largest object is right by luck.
#
# Seen: objects of 2, 1 and 3 voxels: k=2 gives the numbers 1, -, 2; k=3 and k=5 give 1, 2, 3; k=1 is bool
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check connected-components-3d==4.1.1 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import cc3d
import numpy as np

sizes_2_1_3 = np.array([[[1, 1, 0, 1, 0, 1, 1, 1]]], np.uint8)
seen = {k: cc3d.largest_k(sizes_2_1_3, k=k, connectivity=26).ravel()[[0, 3, 5]].tolist() for k in (2, 3, 5)}
kind = cc3d.largest_k(sizes_2_1_3, k=1, connectivity=26).dtype.name
print(seen, kind)
sys.exit((seen, kind) != ({2: [1, 0, 2], 3: [1, 2, 3], 5: [1, 2, 3]}, "bool"))
PYTHON
