#!/usr/bin/env bash
# bioimageio.core 0.11.0: mean, deviation and percentiles of preprocessing steps are measured on the image as it came,
# not on what earlier steps made of it. `scale_linear` by 0.5 and then `zero_mean_unit_variance` gives numbers whose
# mean is not 0 and whose deviation is 0.5, where the format says of such a step "Default: The tensor itself".
#
# Seen: 0, 2, 4, 6 halved and then normalised: mean -0.67, deviation 0.5
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check bioimageio.core==0.11.0 bioimageio.spec==0.5.12.0 \
    pydantic==2.12.5 numpy==2.2.6 onnx==1.20.1 onnxruntime==1.23.2
export BIOIMAGEIO_CACHE_PATH="$folder/cache"
cd "$folder"
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import sys

import numpy as np
import onnx
from bioimageio.core import create_prediction_pipeline
from bioimageio.core.digest_spec import get_test_input_sample
from bioimageio.spec.model import v0_5 as spec
from onnx import TensorProto, helper

image = np.array([[[0, 2, 4, 6]]], np.float32)
np.save("raw.npy", image)
shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, image.shape) for name in ("raw", "same")]
graph = helper.make_graph([helper.make_node("Identity", ["raw"], ["same"])], "identity", shapes[:1], shapes[1:])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "net.onnx")
sizes = (("y", 1), ("x", 4))
file = spec.FileDescr(source="raw.npy")
model = spec.ModelDescr(
    name="identity of the image",
    inputs=[
        spec.InputTensorDescr(
            id=spec.TensorId("raw"),
            axes=[spec.BatchAxis(size=1), *(spec.SpaceInputAxis(id=spec.AxisId(a), size=s) for a, s in sizes)],
            test_tensor=file,
            preprocessing=[
                spec.ScaleLinearDescr(kwargs=spec.ScaleLinearKwargs(gain=0.5)),
                spec.ZeroMeanUnitVarianceDescr(
                    kwargs=spec.ZeroMeanUnitVarianceKwargs(axes=[spec.AxisId("y"), spec.AxisId("x")])
                ),
            ],
        )
    ],
    outputs=[
        spec.OutputTensorDescr(
            id=spec.TensorId("same"),
            axes=[spec.BatchAxis(size=1), *(spec.SpaceOutputAxis(id=spec.AxisId(a), size=s) for a, s in sizes)],
            test_tensor=file,
        )
    ],
    weights=spec.WeightsDescr(onnx=spec.OnnxWeightsDescr(source="net.onnx", opset_version=17)),
)
sample = get_test_input_sample(model)
create_prediction_pipeline(model).apply_preprocessing(sample)
(found,) = sample.members.values()
mean, deviation = float(found.data.mean()), float(found.data.std())
print(round(mean, 2), round(deviation, 2))
sys.exit(not (abs(mean + 0.67) < 0.01 and abs(deviation - 0.5) < 0.01))
PYTHON
