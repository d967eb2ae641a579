"""Read a package of the BioImage Model Zoo, whoever made it, where its weights can be run here.

A package is a zip or a folder with a description, ``rdf.yaml``, by the format's version 0.5 (bioimage.io).
Its weights are run as Keras 3, as a SavedModel, or as ONNX; what its description says is done before and
after the network is done by `kerasseg.images.steps`. Nothing in a package is trusted: files have the SHA-256
and the names that the description says and lie in the package, and none of its code is run.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Any, Literal

import numpy as np
import yaml
from pydantic import BaseModel, Field, ValidationError

from kerasseg.console import say
from kerasseg.errors import Blocked, UserError, naming
from kerasseg.files import sha256
from kerasseg.images.steps import Step, Steps, changed
from kerasseg.inference import backends, openvino
from kerasseg.inference.backends import TENSORFLOW
from kerasseg.inference.forward import Forward
from kerasseg.spec import ModelSpec, Objects, TilingSettings
from kerasseg.startup import start_tensorflow

DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml")
LARGEST_DESCRIPTION = 4 << 20
LARGEST_WEIGHTS = 8 << 30
MOST_FILES = 10_000  # in a zipped SavedModel
TILE = {2: 256, 3: 64}  # pixels a side, where a package leaves the choice
OWN = "kerasseg"  # what kerasseg itself wrote into `config`
KERAS, SAVED_MODEL, ONNX = "keras_v3", "tensorflow_saved_model_bundle", "onnx"
SPACE = "zyx"


class _Parameterized(BaseModel):
    min: int = Field(gt=0)
    step: int = Field(gt=0)


class _Reference(BaseModel):
    tensor_id: str
    axis_id: str
    offset: int = 0


class _Axis(BaseModel):
    type: Literal["batch", "channel", "space", "time", "index"]
    id: str | None = None
    size: int | _Parameterized | _Reference | None = None
    halo: int = Field(0, ge=0)
    scale: float = 1.0
    channel_names: list[str] = []

    @property
    def name(self) -> str:
        return self.id or self.type


class _Step(BaseModel):
    id: str
    kwargs: dict[str, Any] = {}


class _Data(BaseModel):
    type: str = "float32"


class _Tensor(BaseModel):
    id: str
    axes: list[_Axis]
    data: _Data | list[_Data] = _Data()
    preprocessing: list[_Step] = []
    postprocessing: list[_Step] = []

    @property
    def names(self) -> list[str]:
        return [axis.name for axis in self.axes]

    @property
    def dtype(self) -> str:
        return (self.data[0] if isinstance(self.data, list) else self.data).type

    def axis(self, name: str) -> _Axis:
        return self.axes[self.names.index(name)]

    @property
    def channels(self) -> list[str]:
        return self.axis("channel").channel_names if "channel" in self.names else [self.id]


class _Weights(BaseModel):
    source: str
    sha256: str | None = None
    external_data: Any = None


class _Description(BaseModel):
    format_version: str
    type: Literal["model"]
    inputs: list[_Tensor] = Field(min_length=1)
    outputs: list[_Tensor] = Field(min_length=1)
    weights: dict[str, _Weights | None]
    config: dict[str, Any] = {}


@dataclass(frozen=True)
class Package:
    """A package on disk.

    Parameters
    ----------
    path : Path
        The zip, or the folder.
    """

    path: Path

    @cached_property
    def description(self) -> _Description:
        """What ``rdf.yaml`` says, as far as it is needed here.

        Raises
        ------
        UserError
            If it is none, or of a version other than 0.5.
        """
        try:
            given = yaml.safe_load(self._content)
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise UserError(f"{self.path}: its {self._named()} is not YAML ({error})") from error
        version = str(given.get("format_version")) if isinstance(given, dict) else "none"
        if not version.startswith("0.5."):
            raise UserError(
                f"{self.path}: it follows version {version} of the BioImage Model Zoo's format, and 0.5 is "
                "read here; `bioimageio update-format` of bioimageio.core brings a package up to date"
            )
        try:
            return _Description.model_validate(given)
        except ValidationError as error:
            raise UserError(*(f"{self.path}: {_mistake(each)}" for each in error.errors())) from error

    @property
    def digest(self) -> str:
        """SHA-256 of the description."""
        return hashlib.sha256(self._content).hexdigest()

    @cached_property
    def _content(self) -> bytes:
        with self._opened(self._named(), LARGEST_DESCRIPTION) as file:
            return file.read()

    @contextmanager
    def file(self, weights: _Weights, suffix: str) -> Iterator[Path]:
        """Yield the path of a copy of weights, which has the SHA-256 that the description says."""
        if "://" in weights.source:
            raise UserError(
                f"{self.path}: its weights lie at {weights.source}, and nothing is fetched from there; "
                "download the package with its weights, such as by `bioimageio package`"
            )
        with TemporaryDirectory() as folder, self._opened(weights.source, LARGEST_WEIGHTS) as file:
            copy = Path(folder) / f"weights{suffix}"
            with copy.open("wb") as target:
                shutil.copyfileobj(file, target)
            if weights.sha256 not in (None, sha256(copy)):
                raise UserError(
                    f"{self.path}: {weights.source} is not the file that its description speaks of "
                    "(SHA-256); download the package again"
                )
            yield copy

    def _named(self) -> str:
        return next((name for name in DESCRIPTIONS if self._has(name)), DESCRIPTIONS[0])

    def _has(self, name: str) -> bool:
        if self.path.is_dir():
            return (self.path / name).is_file()
        try:
            with zipfile.ZipFile(self.path) as package:
                return name in package.namelist()
        except zipfile.BadZipFile as error:
            raise UserError(f"{self.path}: it is damaged ({error}); download the package again") from error

    @contextmanager
    def _opened(self, name: str, largest: int) -> Iterator[IO[bytes]]:
        """Open one of its files; what leads out of the package, or is larger than can be, is refused."""
        if leads_out(name):
            raise UserError(f"{self.path}: {name!r} leads out of the package; it is not opened")
        try:
            if self.path.is_dir():
                path = (self.path / name).resolve(strict=True)
                if not path.is_relative_to(self.path.resolve()):
                    raise UserError(f"{self.path}: {name!r} leads out of the package; it is not opened")
                self._check_size(name, path.stat().st_size, largest)
                with path.open("rb") as file:
                    yield file
            else:
                with zipfile.ZipFile(self.path) as package:
                    self._check_size(name, package.getinfo(name).file_size, largest)
                    with package.open(name) as file:
                        yield file
        except (KeyError, FileNotFoundError) as error:
            raise UserError(f"{self.path}: its file {name} is missing; download the package again") from error
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UserError(f"{self.path}: it is damaged ({error}); download the package again") from error

    def _check_size(self, name: str, size: int, largest: int) -> None:
        if size > largest:
            raise UserError(f"{self.path}: {name} has {size:,} bytes; expected at most {largest:,}")


def is_package(path: Path) -> bool:
    """Tell a package from a run: a file named as a zip, or a folder with a description."""
    if path.is_dir():
        return any((path / name).is_file() for name in DESCRIPTIONS)
    return path.suffix.lower() == ".zip" and path.is_file()


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


def _tensors(description: _Description) -> tuple[_Tensor, _Tensor]:
    """Give what a network takes and gives: one tensor each."""
    for kind, tensors in (("input", description.inputs), ("output", description.outputs)):
        if len(tensors) > 1:
            names = ", ".join(tensor.id for tensor in tensors)
            raise UserError(f"it has {len(tensors)} {kind}s ({names}); networks of one are run here")
    return description.inputs[0], description.outputs[0]


def _space(tensor: _Tensor) -> list[str]:
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


def _spec(taken: _Tensor, given: _Tensor, weights: str) -> ModelSpec:
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


def _side(tensor: _Tensor, name: str, wanted: int) -> int:
    """Choose the size of a tile along an axis: the smallest that is allowed and not below what is wanted."""
    match tensor.axis(name).size:
        case int(size):
            return size
        case _Parameterized(min=least, step=step):
            return least + max(0, math.ceil((wanted - least) / step)) * step
        case _Reference(tensor_id=tensor.id, axis_id=other, offset=offset) if other != name:
            return _side(tensor, other, wanted) + offset
    raise UserError(f"the size of {tensor.id}'s axis {name} is not known here")


def _same(taken: _Tensor, given: _Tensor, name: str) -> bool:
    """Tell whether an axis of the answer is as long as the image's."""
    if name not in given.names:
        return False
    before, after = taken.axis(name), given.axis(name)
    if isinstance(after.size, _Reference):
        same = (after.size.tensor_id, after.size.axis_id) == (taken.id, name)
        return same and after.size.offset == 0 and after.scale == before.scale
    return after.size == before.size


def _steps(tensor: _Tensor, given: Sequence[_Step]) -> list[Step]:
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

    def __init__(self, forward: Forward, taken: _Tensor, given: _Tensor) -> None:
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


def unzip(path: Path, folder: Path) -> None:
    """Unpack a zip into a folder: plain files in it alone, not many, and not larger than weights can be.

    Raises
    ------
    UserError
        If it holds others.
    """
    try:
        with zipfile.ZipFile(path) as package:
            entries = package.infolist()
            size = sum(entry.file_size for entry in entries)
            if len(entries) > MOST_FILES or size > LARGEST_WEIGHTS:
                raise UserError(
                    f"{path.name}: it holds {len(entries)} files of {size:,} bytes, more than weights have"
                )
            for entry in entries:
                if leads_out(entry.filename) or stat.S_ISLNK(entry.external_attr >> 16):
                    raise UserError(f"{path.name}: {entry.filename!r} leads out of it; nothing is unpacked")
            package.extractall(folder)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{path.name}: these weights are damaged ({error}); download the package again"
        ) from error


def leads_out(name: str) -> bool:
    """Tell whether a name in a package is of a file elsewhere."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in path.parts[0] if path.parts else True


def _mistake(error: Any) -> str:
    place = ".".join(map(str, error["loc"]))
    return f"{place}: {error['msg'][0].lower()}{error['msg'][1:]}; the package is not valid"
