"""Write a model as a package of the BioImage Model Zoo, which other programs open without kerasseg.

A package is a zip with a description, ``rdf.yaml``, by the format's version 0.5 (bioimage.io), and the files
that it names with their SHA-256: weights in three formats, an image with the answer that is expected to it, a
card, and a cover. `kerasseg.inference.package` reads them.
"""

from __future__ import annotations

import difflib
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from warnings import warn

import keras
import numpy as np
import tensorflow as tf
import yaml
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from kerasseg.errors import Notice, UserError
from kerasseg.files import sha256, write_atomically
from kerasseg.images.normalisation import Dtype, Minmax, Normalisation, Percentile
from kerasseg.images.preprocessing import resize, with_channels
from kerasseg.inference.forward import in_float32
from kerasseg.inference.tiling import round_up
from kerasseg.report import pictures
from kerasseg.serving import card, network
from kerasseg.spec import ModelSpec

VERSION = "0.5.9"  # of the format: the first that has Keras 3
DESCRIPTION = "rdf.yaml"
IMAGE, PROBABILITIES = "image", "probabilities"  # the names of the two tensors
LARGEST_TEST = {2: 512, 3: 48}  # pixels a side of the image that a package is tested with
COVER = 600  # pixels a side
LEAST_PERCENT = 1  # the upper percentile is above this in the format, so that nobody writes 0.998 for 99.8


USUAL_LICENSES = ("Apache-2.0", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0", "GPL-3.0-or-later", "MIT")


@dataclass(frozen=True)
class Origin:
    """Whose a model is.

    Attributes
    ----------
    authors : sequence of str
        Names.
    license : str or None
        An identifier of SPDX, such as ``CC-BY-4.0``: see `license_id`.
    """

    authors: Sequence[str] = ()
    license: str | None = None


def license_id(given: str) -> str:
    """Give a licence's identifier as SPDX writes it; the format takes one, and no expression of several.

    Raises
    ------
    UserError
        If SPDX's list has none of that name.
    """
    try:
        found = canonicalize_license_expression(given)
    except InvalidLicenseExpression:
        found = ""
    if not re.fullmatch(r"(?!LicenseRef-)[A-Za-z0-9.-]+", found):
        by_lower = {name.lower(): name for name in USUAL_LICENSES}
        near = difflib.get_close_matches(given.lower(), by_lower, n=1, cutoff=0.5)
        hint = f"; did you mean {by_lower[near[0]]}?" if near else ""
        raise UserError(
            f"--license {given!r}: the zoo wants one identifier of https://spdx.org/licenses, such as "
            f"{', '.join(USUAL_LICENSES)}{hint}"
        )
    return found


def write(
    model: keras.Model,
    path: Path,
    spec: ModelSpec,
    *,
    name: str,
    origin: Origin,
    facts: Mapping[str, Any],
    image: np.ndarray | None = None,
) -> float:
    """Write a package, whole or not at all.

    Parameters
    ----------
    model : keras.Model
        From (B, Y, X, C) or (B, Z, Y, X, C) float32 in [0, 1], sizes multiples of the stride, to (B, ..., K).
    path : Path
        The file, ``.zip``.
    spec : ModelSpec
        What the model takes and gives.
    name : str
        Of the model.
    origin : Origin
    facts : mapping
        How the model came about, for its card: see `kerasseg.serving.card.render`.
    image : numpy.ndarray, (Y, X, C) or (Z, Y, X, C), optional
        As stored: the package is tested with its middle, and takes images of its type; noise of 8 bits where
        there is none.

    Returns
    -------
    float
        How far the probabilities of any of its weights are at most from the Keras model's.

    Raises
    ------
    UserError
        If the format has no word for something that the model needs, or weights answer otherwise than the
        Keras model does.
    """
    model = in_float32(model)
    stored = _test_image(spec, image)
    steps = preprocessing(spec.normalise, stored.dtype, "zyx"[-spec.rank :])
    expected = keras.ops.convert_to_numpy(model(_prepared(spec, stored)[None], training=False))
    with TemporaryDirectory() as folder, write_atomically(path) as temporary:
        files = Path(folder)
        weights, difference = _weights(model, files, spec)
        np.save(files / "test_input.npy", stored[None])
        np.save(files / "test_output.npy", expected)
        (files / "cover.jpg").write_bytes(_cover(spec, stored, expected[0]))
        text = card.render_package(name, spec, {**facts, "largest_difference": difference}, steps)
        (files / card.NAME).write_text(text, encoding="utf-8")
        description = _described(files, spec, stored, steps, weights, name, origin)
        text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True, width=110)
        (files / DESCRIPTION).write_text(text, encoding="utf-8")
        _zip(files, temporary)
    return difference


def preprocessing(normalise: Normalisation, dtype: np.dtype, axes: str) -> list[dict[str, Any]]:
    """Say in the format's words how intensities come into [0, 1].

    The last word says that they are float32: without it they are cast back to the type of the image.

    Parameters
    ----------
    normalise : Normalisation
    dtype : numpy.dtype
        Of the images that the package takes.
    axes : str
        In space, such as ``yx``.

    Raises
    ------
    UserError
        If it has none.
    """
    scale = {"axes": list(axes), "eps": 1e-12}  # each image and channel by itself; almost nothing is added
    as_float = _step("ensure_dtype", dtype="float32")
    match normalise:
        case Dtype() if dtype.kind == "f":
            return [as_float]
        case Dtype():
            return [_step("scale_linear", gain=1 / np.iinfo(dtype).max), as_float]
        case Minmax():
            return [_step("scale_range", **scale), as_float]
        case Percentile(low, high) if high > LEAST_PERCENT:
            ends = {"min_percentile": low, "max_percentile": high}
            return [_step("scale_range", **scale, **ends), _step("clip", min=0.0, max=1.0), as_float]
    raise UserError(
        f"data.normalise: the BioImage Model Zoo's format has no word for {normalise}; export the model by "
        "--format savedmodel, which carries its own normalisation"
    )


def _step(name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": name, "kwargs": arguments}


def _test_image(spec: ModelSpec, image: np.ndarray | None) -> np.ndarray:
    """Cut the middle out of an image, in sizes that the network takes; noise where there is none.

    The format has no word for resizing: where the network looks at a resized image, the package takes one.
    """
    if image is None or (spec.resize is None and min(_sizes(image, spec)) == 0):
        least = spec.resize or _least(spec)
        return np.random.default_rng(0).integers(0, 256, (*least, spec.channels), np.uint8)
    image = with_channels(image, spec.channels)
    if spec.resize is not None:
        return resize(image, spec.resize)
    starts = [(length - size) // 2 for length, size in zip(image.shape, _sizes(image, spec), strict=False)]
    middle = zip(starts, _sizes(image, spec), strict=True)
    return np.ascontiguousarray(image[tuple(slice(start, start + size) for start, size in middle)])


def _sizes(image: np.ndarray, spec: ModelSpec) -> list[int]:
    """Choose the sides of the test image: multiples of the stride, 0 where an image is too small."""
    sides = (min(side, LARGEST_TEST[spec.rank]) for side in image.shape[: spec.rank])
    sizes = [side // stride * stride for side, stride in zip(sides, spec.stride, strict=True)]
    return [size if size >= least else 0 for size, least in zip(sizes, _least(spec), strict=True)]


def _prepared(spec: ModelSpec, stored: np.ndarray) -> np.ndarray:
    if spec.resize is not None and any(side % s for side, s in zip(spec.resize, spec.stride, strict=True)):
        raise UserError(
            f"data.resize {list(spec.resize)} is no multiple of the model's stride {list(spec.stride)}, and "
            "the BioImage Model Zoo's format has no word for padding; export the model by --format savedmodel"
        )
    return spec.prepare(stored, IMAGE)


def _halo(spec: ModelSpec) -> list[int]:
    """How many pixels at the border of a tile are wrong: as far as the model sees, or what it was told.

    They are multiples of the stride, for bioimageio.core makes an image larger by as many on each side.
    """
    pixels = spec.receptive_radius or spec.tiling.overlap
    radius = pixels if isinstance(pixels, tuple) else [pixels if isinstance(pixels, int) else 1] * spec.rank
    return [round_up(far, side) for far, side in zip(radius, spec.stride, strict=True)]


def _least(spec: ModelSpec) -> list[int]:
    """Give the smallest sides of which a halo leaves something."""
    return [2 * halo + side for halo, side in zip(_halo(spec), spec.stride, strict=True)]


def _weights(model: keras.Model, files: Path, spec: ModelSpec) -> tuple[dict[str, Any], float]:
    """Write the weights into a folder: the entries that describe them, and their largest difference."""
    converted = {"parent": "keras_v3"}
    model.save(files / "weights.keras")
    backend = ["tensorflow", tf.__version__]
    weights = {"keras_v3": _file(files, "weights.keras", keras_version=keras.__version__, backend=backend)}
    with TemporaryDirectory() as unzipped:
        differences = [network.write_saved_model(model, Path(unzipped), spec)]
        _zip(Path(unzipped), files / "saved_model.zip")
    bundle = _file(files, "saved_model.zip", tensorflow_version=tf.__version__, **converted)
    weights["tensorflow_saved_model_bundle"] = bundle
    if all(map(find_spec, ("tf2onnx", "onnxruntime"))):
        differences.append(network.write_onnx(model, files / "weights.onnx", spec))
        weights["onnx"] = _file(files, "weights.onnx", opset_version=network.OPSET, **converted)
    else:
        warn("the package has no ONNX weights: pip install 'kerasseg[onnx]' adds them", Notice, stacklevel=2)
    return weights, max(differences)


def _described(
    files: Path,
    spec: ModelSpec,
    stored: np.ndarray,
    steps: list[dict[str, Any]],
    weights: dict[str, Any],
    name: str,
    origin: Origin,
) -> dict[str, Any]:
    """Describe the package in the format's words; `config` carries what it has none for."""
    kind = "volumes" if spec.rank == 3 else "images"
    taken = {
        "id": IMAGE,
        "axes": _axes(spec, [f"channel{number}" for number in range(spec.channels)], _input_size),
        "data": {"type": stored.dtype.name},
        "test_tensor": _file(files, "test_input.npy"),
        "preprocessing": steps,
    }
    given = {
        "id": PROBABILITIES,
        "axes": _axes(spec, spec.output_names, _output_size),
        "data": {"type": "float32", "range": [0.0, 1.0]},
        "test_tensor": _file(files, "test_output.npy"),
    }
    described = {
        "format_version": VERSION,
        "type": "model",
        "name": re.sub(r"[^A-Za-z0-9_+ ()-]", "-", f"{name} (kerasseg)"),
        "description": f"Segments microscopy {kind} into {', '.join(spec.classes)} and background.",
        "authors": [{"name": author} for author in origin.authors],
        "license": origin.license,
        "documentation": _file(files, card.NAME),
        "covers": [_file(files, "cover.jpg")],
        "tags": [f"{spec.rank}d", "microscopy", "semantic-segmentation", "keras", "tensorflow", "kerasseg"],
        "inputs": [taken],
        "outputs": [given],
        "weights": weights,
        "config": {"kerasseg": json.loads(spec.to_json())},
    }
    if origin.license is None:
        del described["license"]
    return described


def _axes(spec: ModelSpec, channels: Sequence[str], size: Any) -> list[dict[str, Any]]:
    space = [
        {"type": "space", "id": name, **size(spec, number)} for number, name in enumerate("zyx"[-spec.rank :])
    ]
    return [{"type": "batch"}, *space, {"type": "channel", "channel_names": list(channels)}]


def _input_size(spec: ModelSpec, number: int) -> dict[str, Any]:
    if spec.resize is not None:
        return {"size": spec.resize[number]}
    return {"size": {"min": _least(spec)[number], "step": spec.stride[number]}}


def _output_size(spec: ModelSpec, number: int) -> dict[str, Any]:
    same = {"size": {"tensor_id": IMAGE, "axis_id": "zyx"[-spec.rank :][number]}}
    halo = _halo(spec)[number]
    return same if spec.resize is not None or halo == 0 else {**same, "halo": halo}


def _file(files: Path, name: str, **more: Any) -> dict[str, Any]:
    """Name a file with its SHA-256."""
    return {"source": name, "sha256": sha256(files / name), **more}


def _cover(spec: ModelSpec, stored: np.ndarray, probabilities: np.ndarray) -> bytes:
    """Draw what is predicted on the test image, on a white square: the zoo wants covers of that shape."""
    picture = pictures.annotated(stored, spec.decide(probabilities))
    height, width = picture.shape[:2]
    square = np.full((max(height, width), max(height, width), 3), pictures.WHITE, np.uint8)
    square[:height, :width] = picture
    return pictures.compressed(square, COVER)


def _zip(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for file in _files(folder):
            package.write(file, file.relative_to(folder).as_posix())


def _files(folder: Path) -> Iterator[Path]:
    """List a folder's files, in one order everywhere."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file())
