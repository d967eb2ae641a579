#!/usr/bin/env bash
# tifffile 2026.3.3 writes a NumPy bool array as one bit a pixel and says PhotometricInterpretation 0 (WhiteIsZero),
# but stores True as a set bit. By TIFF 6.0 a set bit is then black: Pillow 12.0.0 and OpenCV read the mask inverted
# (540 of 640 pixels set instead of 100), while tifffile itself reads it back as it was.
#
# Seen: tifffile: 100 set, photometric MINISWHITE; Pillow: 540 set; OpenCV: 540 set
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    tifffile==2026.3.3 numpy==2.2.6 pillow==12.0.0 opencv-python-headless==4.12.0.88
"$folder/venv/bin/python" - "$folder/square.tif" <<'PYTHON'
import sys

import cv2
import numpy as np
import tifffile
from PIL import Image

path = sys.argv[1]
square = np.zeros((20, 32), bool)
square[5:15, 10:20] = True
tifffile.imwrite(path, square)
with tifffile.TiffFile(path) as file:
    photometric, by_tifffile = file.pages.first.photometric.name, int(file.asarray().sum())
by_pillow = int(np.asarray(Image.open(path)).sum())
by_opencv = int((cv2.imread(path, cv2.IMREAD_UNCHANGED) > 0).sum())
print(f"tifffile: {by_tifffile} set, photometric {photometric}; Pillow: {by_pillow} set; OpenCV: {by_opencv} set")
sys.exit((photometric, by_tifffile, by_pillow, by_opencv) != ("MINISWHITE", 100, 540, 540))
PYTHON
