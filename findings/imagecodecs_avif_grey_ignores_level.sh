#!/usr/bin/env bash
# imagecodecs 2026.3.6: `avif_encode(array, level=...)` of a grey array (Y, X) ignores its level and loses nothing: the
# bytes are the same at every level. Of the same grey as three equal channels the level is obeyed. Who measures what AVIF
# makes of a grey image at some quality measures lossless AVIF.
#
# Seen: grey: levels 10, 50 and 95 give one size and the very pixels; three channels: growing sizes, other pixels
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
three = np.repeat(grey[..., None], 3, axis=-1)
sizes, exact = {}, {}
for name, image in {"grey": grey, "three": three}.items():
    encoded = [imagecodecs.avif_encode(image, level=level) for level in (10, 50, 95)]
    sizes[name] = list(map(len, encoded))
    exact[name] = [np.array_equal(imagecodecs.avif_decode(content), image) for content in encoded]
print(sizes, exact)
alike = len(set(sizes["grey"])) == 1 and exact["grey"] == [True] * 3
obeyed = sizes["three"] == sorted(set(sizes["three"])) and exact["three"] == [False] * 3
sys.exit(not (alike and obeyed))
PYTHON
