"""Run a package of the BioImage Model Zoo, whoever made it, where it has weights that can be run here.

Weights are run as Keras 3, as a SavedModel, or as ONNX; what the description says is done before and after
the network is done by `kerasseg.images.steps`. None of a package's own code is run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from kerasseg.console import say
from kerasseg.errors import Blocked, UserError, naming
from kerasseg.images.steps import Step, Steps, changed
from kerasseg.inference import backends, openvino
from kerasseg.inference.backends import TENSORFLOW
from kerasseg.inference.forward import Forward
from kerasseg.inference.package_file import (
    Description,
    NamedStep,
    Package,
    Parameterized,
    Reference,
    Tensor,
    unzip,
)
from kerasseg.spec import ModelSpec, Objects, TilingSettings
from kerasseg.startup import start_tensorflow

TILE = {2: 256, 3: 64}  # pixels a side, where a package leaves the choice
OWN = "kerasseg"  # what kerasseg itself wrote into `config`
KERAS, SAVED_MODEL, ONNX = "keras_v3", "tensorflow_saved_model_bundle", "onnx"
SPACE = "zyx"


def read_spec(path: Path) -> ModelSpec:
    """Read what a package's network takes and gives.

    Two packages are told apart by their descriptions, which hold the SHA-256 of their weights.

    Raises
    ------
    UserError
        If it is no package of the zoo, is damaged, or wants something that is not known here.
    """
    package = Package(path)
    if OWN in package.description.config:
        return replace(_own_spec(package), weights=package.digest)
    with naming(str(path)):
        return _spec(*_tensors(package.description), package.digest)


def engine(path: Path, wanted: str) -> str:
    """Say what computes a package's network: ONNX weights ONNX Runtime, or OpenVINO where that is missing.

    Raises
    ------
    UserError
        If it has no weights that can be run here.
    """
    if _chosen(Package(path), wanted) != ONNX or wanted == "openvino":
        return wanted
    return "onnxruntime" if find_spec("onnxruntime") or not find_spec("openvino") else "openvino"


def open_network(path: Path, wanted: str) -> Forward:
    """Open a package's network with an engine, `kerasseg.inference.backends.ENGINES`.

    Returns
    -------
    Forward
        From (B, ..., C), to which `read_spec` says how images come, to (B, ..., K).

    Raises
    ------
    Blocked
        If its weights are missing, damaged, or not those that it speaks of, or do more than compute.
    """
    package, computing = Package(path), engine(path, wanted)
    name = _chosen(package, wanted)
    suffix, open_weights = OPENED[name]
    try:
        with naming(str(path)), package.file(package.description.weights[name], suffix) as copy:
            forward = open_weights(copy, computing)
    except UserError as error:
        raise Blocked(*error.messages) from error  # other images would be answered no better
    own = OWN in package.description.config
    return forward if own else _Arranged(forward, *_tensors(package.description))


def _own_spec(package: Package) -> ModelSpec:
    """Read what kerasseg itself wrote into a package, and compare it with what the package says to all."""
    description = package.description
    try:
        spec = ModelSpec.from_json(json.dumps(description.config[OWN]))
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{package.path}: its config.kerasseg cannot be read ({error}); export it again"
        ) from error
    taken, given = description.inputs[0], description.outputs[0]
    said = (len(_space(taken)), len(taken.channels), len(given.channels))
    if said != (spec.rank, spec.channels, spec.outputs):
        raise UserError(f"{package.path}: its config.kerasseg is of another model; export it again")
    return spec


def _tensors(description: Description) -> tuple[Tensor, Tensor]:
    """Give what a network takes and gives: one tensor each."""
    for kind, tensors in (("input", description.inputs), ("output", description.outputs)):
        if len(tensors) > 1:
            names = ", ".join(tensor.id for tensor in tensors)
            raise UserError(f"it has {len(tensors)} {kind}s ({names}); networks of one are run here")
    return description.inputs[0], description.outputs[0]


def _space(tensor: Tensor) -> list[str]:
    """Name the axes in space, in the order z, y, x.

    Raises
    ------
    UserError
        If they are not those of an image or a volume, or there are other axes that are longer than 1.
    """
    others = [axis for axis in tensor.axes if axis.name not in ("batch", "channel", *SPACE)]
    if {"y", "x"} - set(tensor.names) or any(axis.size != 1 for axis in others):
        raise UserError(
            f"{tensor.id} has the axes {', '.join(tensor.names)}; expected batch, channel, y, x and perhaps z"
        )
    return [name for name in SPACE if name in tensor.names]


def _spec(taken: Tensor, given: Tensor, weights: str) -> ModelSpec:
    """Say in kerasseg's words what a package says in the format's."""
    space = _space(taken)
    tiles = [_side(taken, name, TILE[len(space)]) for name in space]
    if any(not _same(taken, given, name) for name in space):
        raise UserError(
            f"{given.id} has another size than {taken.id}; networks that keep the size are run here"
        )
    halos = [given.axis(name).halo for name in space]
    steps = _steps(taken, taken.preprocessing)
    after, threshold = _decided(_steps(given, given.postprocessing))
    names = given.channels
    softmax = any(step.name == "softmax" for step in after) or names[0].lower() == "background"
    if softmax and names[0].lower() != "background":
        say(f"{names[0]}, the first of the exclusive classes {', '.join(names)}, is taken for the background")
    tiling = TilingSettings(
        tile=tuple(tiles),
        overlap=tuple(halos) if any(halos) else tuple(tile // 8 for tile in tiles),
        blend="crop" if any(halos) else "hann",
        padding="reflect",  # which makes all tiles of the very size that the package wants
        tta="none",
        batch_size=1,
    )
    return ModelSpec(
        classes=tuple(names[1:] if softmax else names),
        multilabel=len(names) > 1 and not softmax,
        activation="softmax" if softmax else "sigmoid",
        threshold=threshold,
        channels=len(taken.channels),
        normalise=Steps(tuple(steps), taken.dtype),
        resize=None,
        stride=(1,) * len(space),
        receptive_radius=None,
        objects=Objects("components", {}),
        tiling=tiling,
        weights=weights,
    )


def _side(tensor: Tensor, name: str, wanted: int) -> int:
    """Choose the size of a tile along an axis: the smallest that is allowed and not below what is wanted."""
    match tensor.axis(name).size:
        case int(size):
            return size
        case Parameterized(min=least, step=step):
            return least + max(0, math.ceil((wanted - least) / step)) * step
        case Reference(tensor_id=tensor.id, axis_id=other, offset=offset) if other != name:
            return _side(tensor, other, wanted) + offset
    raise UserError(f"the size of {tensor.id}'s axis {name} is not known here")


def _same(taken: Tensor, given: Tensor, name: str) -> bool:
    """Tell whether an axis of the answer is as long as the image's."""
    if name not in given.names:
        return False
    before, after = taken.axis(name), given.axis(name)
    if isinstance(after.size, Reference):
        same = (after.size.tensor_id, after.size.axis_id) == (taken.id, name)
        return same and after.size.offset == 0 and after.scale == before.scale
    return after.size == before.size


def _steps(tensor: Tensor, given: Sequence[NamedStep]) -> list[Step]:
    """List a tensor's steps; the format's last word is that numbers keep the tensor's type."""
    steps = [Step(step.id, step.kwargs) for step in given]
    for step in steps:
        step.check()
    if not steps or steps[-1].name not in ("ensure_dtype", "binarize"):
        steps.append(Step("ensure_dtype", {"dtype": tensor.dtype}))
    return steps


def _decided(steps: list[Step]) -> tuple[list[Step], float]:
    """Take a threshold at the end for the model's own: probabilities are blended before they are decided."""
    real = [step for step in steps if step.name != "ensure_dtype"]
    threshold = real[-1].arguments.get("threshold") if real and real[-1].name == "binarize" else None
    if isinstance(threshold, float) and 0 < threshold < 1:
        return real[:-1], threshold
    return steps, 0.5


class _Arranged:
    """A network whose tensors have axes of their own, in the place of one from (B, ..., C) to (B, ..., K)."""

    def __init__(self, forward: Forward, taken: Tensor, given: Tensor) -> None:
        self._forward, self._taken, self._given = forward, taken, given
        self._space = _space(taken)
        last = _steps(taken, taken.preprocessing)[-1]
        self._dtype = last.arguments.get("dtype", "float32")
        after, _ = _decided(_steps(given, given.postprocessing))
        self._changes = [step.fitted(None) for step in after]

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Answer for one after the other: what a network was exported for is often a batch of one."""
        self._check_size(batch.shape[1:-1])
        return np.concatenate([self._answer(batch[n : n + 1]) for n in range(len(batch))])

    def _answer(self, one: np.ndarray) -> np.ndarray:
        given = self._forward(laid_out(one, self._taken.names, self._space).astype(self._dtype))
        return changed(laid_back(given, self._given.names, self._space), self._changes)

    def _check_size(self, size: tuple[int, ...]) -> None:
        for name, length in zip(self._space, size, strict=True):
            if _side(self._taken, name, length) != length:
                raise UserError(
                    f"the model takes no tiles of {' x '.join(map(str, size))}; leave --tile and --padding "
                    "out, and they are as its package wants them"
                )


def laid_out(batch: np.ndarray, names: Sequence[str], space: Sequence[str]) -> np.ndarray:
    """Bring one image, (1, ..., C), into a tensor's order of axes, of which others have the length 1."""
    ours = ["batch", *space, "channel"]
    image = batch if "channel" in names else batch[..., 0]
    image, ours = (image, ours) if "batch" in names else (image[0], ours[1:])
    image = image.transpose([ours.index(name) for name in names if name in ours])
    return np.expand_dims(image, [place for place, name in enumerate(names) if name not in ours])


def laid_back(answer: np.ndarray, names: Sequence[str], space: Sequence[str]) -> np.ndarray:
    """Bring an answer in a tensor's order of axes to (1, ..., K)."""
    ours = ["batch", *space, "channel"]
    answer = answer.squeeze(tuple(place for place, name in enumerate(names) if name not in ours))
    there = [name for name in names if name in ours]
    answer = answer.transpose([there.index(name) for name in ours if name in there])
    answer = answer if "batch" in there else answer[None]
    return answer if "channel" in there else answer[..., None]


def _chosen(package: Package, wanted: str) -> str:
    """Choose the weights that an engine runs best."""
    weights = [name for name, entry in package.description.weights.items() if entry is not None]
    order = (KERAS, SAVED_MODEL, ONNX) if wanted == TENSORFLOW else (ONNX, KERAS)
    name = next((name for name in order if name in weights), None)
    if name is None:
        raise UserError(
            f"{package.path}: it has weights for {', '.join(sorted(weights))}; with the engine {wanted} "
            f"{', '.join(order)} are run here, and PyTorch's are not at all: convert them to ONNX, such as "
            "by `bioimageio add-weights`"
        )
    return name


def _open_keras(path: Path, computing: str) -> Forward:
    start_tensorflow()
    from kerasseg.models.saved import load_model

    return backends.ENGINES[computing](load_model(path))


def _open_onnx(path: Path, computing: str) -> Forward:
    opened = openvino.compiled if computing == "openvino" else backends.on_onnx_runtime
    return opened(path)


def _open_saved_model(path: Path, computing: str) -> Forward:
    start_tensorflow()
    from kerasseg.models.saved import open_saved_model

    with TemporaryDirectory() as folder:
        unzip(path, Path(folder))
        return open_saved_model(Path(folder))


OPENED: dict[str, tuple[str, Callable[[Path, str], Forward]]] = {
    KERAS: (".keras", _open_keras),
    SAVED_MODEL: (".zip", _open_saved_model),
    ONNX: (".onnx", _open_onnx),
}
