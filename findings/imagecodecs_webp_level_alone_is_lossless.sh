#!/usr/bin/env bash
# imagecodecs 2026.3.6: `webp_encode(array, level=q)` is lossless whatever the level: the bytes are the same at every one,
# for `lossless` is true unless it is given. The level, which everywhere else asks for loss, is obeyed only with
# `lossless=False` (imagecodecs' own `jpegxl_encode(array, level=q)` is lossy without more being said).
#
# Seen: levels 10, 50 and 90 alone give one size and the very pixels; with lossless=False growing sizes, other pixels
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imagecodecs==2026.3.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import imagecodecs
import numpy as np

y, x = np.mgrid[:96, :128]
noise = np.random.default_rng(0).normal(0, 10, x.shape)
grey = (127 + 80 * np.sin(x / 7) * np.cos(y / 5) + noise).clip(0, 255).astype(np.uint8)
image = np.repeat(grey[..., None], 3, axis=-1)
sizes, exact = {}, {}
for name, options in {"level alone": {}, "lossless=False": {"lossless": False}}.items():
    encoded = [imagecodecs.webp_encode(image, level=level, **options) for level in (10, 50, 90)]
    sizes[name] = list(map(len, encoded))
    exact[name] = [np.array_equal(imagecodecs.webp_decode(content), image) for content in encoded]
print(sizes, exact)
alike = len(set(sizes["level alone"])) == 1 and exact["level alone"] == [True] * 3
obeyed = sizes["lossless=False"] == sorted(set(sizes["lossless=False"])) and exact["lossless=False"] == [False] * 3
lossy = not np.array_equal(imagecodecs.jpegxl_decode(imagecodecs.jpegxl_encode(grey, level=50)), grey)
sys.exit(not (alike and obeyed and lossy))
PYTHON
