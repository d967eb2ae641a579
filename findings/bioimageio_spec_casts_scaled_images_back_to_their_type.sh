#!/usr/bin/env bash
# bioimageio.spec 0.5.12.0 (BioImage Model Zoo, format 0.5) with bioimageio.core 0.11.0: an input whose `data.type` is
# uint8 and whose last preprocessing step is no `ensure_dtype` gets one of its own type appended when it is read. What
# `scale_range` or `scale_linear` brought into [0, 1] is cast back to uint8: the network sees 0 and 1 only, without a
# word. The examples of `scale_range` in the format's documentation have no last `ensure_dtype`.
#
# Seen: 0, 100, 200, 255 by `scale_linear` with gain 1/255 become [0, 0, 0, 1] of uint8; with `ensure_dtype: float32`
# after it [0, 0.39, 0.78, 1]
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check bioimageio.core==0.11.0 bioimageio.spec==0.5.12.0 \
    pydantic==2.12.5 numpy==2.2.6
export BIOIMAGEIO_CACHE_PATH="$folder/cache"
cd "$folder"
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import sys

import numpy as np
from bioimageio.core.digest_spec import get_member_ids
from bioimageio.core.proc_ops import get_proc
from bioimageio.core.sample import Sample
from bioimageio.core.tensor import Tensor
from bioimageio.spec.model import v0_5 as spec

np.save("raw.npy", np.array([[[0, 100, 200, 255]]], np.uint8))
scale = spec.ScaleLinearDescr(kwargs=spec.ScaleLinearKwargs(gain=1 / 255))
as_float = spec.EnsureDtypeDescr(kwargs=spec.EnsureDtypeKwargs(dtype="float32"))


def seen(*steps):
    axes = [spec.BatchAxis(), *(spec.SpaceInputAxis(id=spec.AxisId(a), size=s) for a, s in (("y", 1), ("x", 4)))]
    tensor = spec.InputTensorDescr(
        id=spec.TensorId("raw"),
        axes=axes,
        test_tensor=spec.FileDescr(source="raw.npy"),
        data=spec.IntervalOrRatioDataDescr(type="uint8"),
        preprocessing=list(steps),
    )
    (name,) = get_member_ids([tensor])
    image = Tensor.from_numpy(np.load("raw.npy"), dims=tensor.axes)
    sample = Sample(members={name: image}, stat={}, id=None)
    for step in tensor.preprocessing:
        get_proc(step, tensor)(sample)
    return sample.members[name].data.to_numpy().ravel()


alone, cast = seen(scale), seen(scale, as_float)
print(alone.dtype, alone.tolist(), cast.dtype, cast.round(2).tolist())
sys.exit((alone.dtype.name, alone.tolist(), cast.dtype.name) != ("uint8", [0, 0, 0, 1], "float32"))
PYTHON
