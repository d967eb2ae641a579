"""Make a package of the BioImage Model Zoo by its own libraries, and say what they answer: FOLDER.

It is run in an environment with bioimageio.core, bioimageio.spec, onnx and ONNX Runtime, without kerasseg.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from bioimageio.core import predict
from bioimageio.spec import save_bioimageio_package
from bioimageio.spec.model import v0_5 as spec
from onnx import TensorProto, helper, numpy_helper

folder = Path(sys.argv[1])
rng = np.random.default_rng(0)


def network():
    """One convolution from (1, 2, Y, X) to (1, 3, Y, X)."""
    kernel = numpy_helper.from_array(rng.normal(0, 0.25, (3, 2, 3, 3)).astype(np.float32), "kernel")
    node = helper.make_node("Conv", ["raw", "kernel"], ["answer"], pads=[1, 1, 1, 1])
    raw, answer = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, "y", "x"])
        for name, channels in (("raw", 2), ("answer", 3))
    )
    graph = helper.make_graph([node], "convolution", [raw], [answer], [kernel])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def channels(*names):
    """An axis of channels."""
    return spec.ChannelAxis(channel_names=[spec.Identifier(name) for name in names])


def taken(name):
    """An axis in space of the image."""
    return spec.SpaceInputAxis(id=spec.AxisId(name), size=spec.ParameterizedSize(min=16, step=16))


def given(name):
    """An axis in space of the answer."""
    size = spec.SizeReference(tensor_id=spec.TensorId("raw"), axis_id=spec.AxisId(name))
    return spec.SpaceOutputAxis(id=spec.AxisId(name), size=size)


np.save(folder / "in.npy", rng.integers(0, 4000, (1, 2, 64, 80)).astype(np.uint16))
np.save(folder / "out.npy", np.ones((1, 3, 64, 80), np.float32))
onnx.save(network(), folder / "net.onnx")
as_float = spec.EnsureDtypeDescr(kwargs=spec.EnsureDtypeKwargs(dtype="float32"))
gains = spec.ScaleLinearAlongAxisKwargs(axis=spec.AxisId("channel"), gain=[0.5, 2.0])
space = [spec.AxisId("y"), spec.AxisId("x")]
raw = spec.InputTensorDescr(
    id=spec.TensorId("raw"),
    axes=[spec.BatchAxis(size=1), channels("red", "green"), taken("y"), taken("x")],
    test_tensor=spec.FileDescr(source=folder / "in.npy"),
    data=spec.IntervalOrRatioDataDescr(type="uint16"),
    preprocessing=[
        as_float,
        spec.ZeroMeanUnitVarianceDescr(kwargs=spec.ZeroMeanUnitVarianceKwargs(axes=space)),
        spec.ScaleLinearDescr(kwargs=gains),  # bioimageio.core measures the image before the first step
        spec.ClipDescr(kwargs=spec.ClipKwargs(min=-1.0, max=1.5)),
        as_float,
    ],
)
answer = spec.OutputTensorDescr(
    id=spec.TensorId("answer"),
    axes=[spec.BatchAxis(size=1), channels("background", "cell", "rim"), given("y"), given("x")],
    test_tensor=spec.FileDescr(source=folder / "out.npy"),
    postprocessing=[spec.SoftmaxDescr(kwargs=spec.SoftmaxKwargs(axis=spec.AxisId("channel")))],
)
model = spec.ModelDescr(
    name="made elsewhere",
    description="three classes",
    authors=[spec.Author(name="A. Person")],
    license=spec.LicenseId("CC0-1.0"),
    inputs=[raw],
    outputs=[answer],
    weights=spec.WeightsDescr(
        onnx=spec.OnnxWeightsDescr(source=folder / "net.onnx", opset_version=17),
    ),
)
save_bioimageio_package(model, output_path=folder / "made.zip", allow_invalid=True)
sample = predict(model=model, inputs={"raw": np.load(folder / "in.npy")})
np.save(folder / "theirs.npy", sample.members[spec.TensorId("answer")].data.to_numpy())
