#!/usr/bin/env bash
# connected-components-3d 4.1.1: `dust` gives int32 labels back as int32 where it removes something, and as uint32 where
# nothing is small enough, so that the type of the answer depends on the content of the image: a difference of labels, or
# a file that is written, is another one for a clean image.
#
# Seen: threshold 2: uint32, nothing removed; threshold 4: int32, one of two objects removed
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check connected-components-3d==4.1.1 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import cc3d
import numpy as np

labels = np.array([[[1, 1, 1, 0, 2, 2, 2, 2]]], np.int32)
seen = []
for threshold in (2, 4):
    cleaned = cc3d.dust(labels, threshold=threshold, connectivity=26)
    print(f"threshold {threshold}: {cleaned.dtype}, {np.unique(cleaned).size - 1} objects")
    seen.append((cleaned.dtype.name, np.unique(cleaned).size - 1))
sys.exit(seen != [("uint32", 2), ("int32", 1)])
PYTHON
