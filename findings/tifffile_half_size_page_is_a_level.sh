#!/usr/bin/env bash
# tifffile 2026.3.3 takes the second page of a plain TIFF for a smaller level of the first where its sides are half
# as long (rounded down), though no page says that it is reduced (NewSubfileType 0 in both): two independent images of
# 6x8 and 3x4 are one series with two levels, while 6x8 and 4x5 are two series. Whoever goes through `series` never
# meets the half-size image.
#
# Seen: 6x8 and 3x4: 2 pages, 1 series of 2 levels; 6x8 and 4x5: 2 pages, 2 series of 1 level
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tifffile==2026.3.3 numpy==2.2.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import numpy as np
import tifffile

seen = []
for second in ((3, 4), (4, 5)):
    path = f"{sys.argv[1]}/pages.tif"
    with tifffile.TiffWriter(path) as writer:
        for shape in ((6, 8), second):
            writer.write(np.ones(shape, np.uint8), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as file:
        reduced = any(page.is_reduced for page in file.pages)
        levels = [len(series.levels) for series in file.series]
        print(f"6x8 and {second[0]}x{second[1]}: {len(file.pages)} pages, levels of each series {levels}, reduced {reduced}")
        seen.append((len(file.pages), levels, reduced))
sys.exit(seen != [(2, [2], False), (2, [1, 1], False)])
PYTHON
