#!/usr/bin/env bash
# napari-ome-zarr 0.10.0 writes where it only reads: asked for a label image (an OME-Zarr 0.5 with "image-label") that
# stands in a folder of its own and not in an image, it looks for the image two folders above by
# `zarr.open_group(path)`, whose default mode "a" makes a group there. The folder above the label image's folder gets a
# zarr.json that nobody asked for, and is a Zarr from then on for every program that looks. The reader itself opens what
# it was given with mode="r".
#
# Seen: before: ['exported']; layer: labels; after: ['exported', 'zarr.json']
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    napari-ome-zarr==0.10.0 napari==0.9.2 zarr==3.1.6 dask==2026.8.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import numpy as np
import zarr
from napari_ome_zarr import napari_get_reader

study = Path(sys.argv[1]) / "study"
labels = study / "exported" / "nuclei.zarr"
group = zarr.open_group(labels, mode="w", zarr_format=3)
group.create_array("0", data=np.eye(8, dtype=np.int32), dimension_names=["y", "x"])
scale = [{"type": "scale", "scale": [0.5, 0.5]}]
axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
image = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
group.attrs["ome"] = {"version": "0.5", "multiscales": [image], "image-label": {}}

before = sorted(path.name for path in study.iterdir())
((_, _, kind),) = napari_get_reader(str(labels))(str(labels))
after = sorted(path.name for path in study.iterdir())
print(f"before: {before}; layer: {kind}; after: {after}")
sys.exit((before, kind, after) != (["exported"], "labels", ["exported", "zarr.json"]))
PYTHON
