"""Packages of the BioImage Model Zoo: its own program runs them, and they come back as they were.

That program is `bioimageio` of bioimageio.core, in an environment of its own: install it there, and name it
in the variable BIOIMAGEIO, or put it on the path.
"""

import os
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import yaml
from specs import spec

from kerasseg.errors import UserError
from kerasseg.images.normalisation import Dtype, Minmax, Percentile
from kerasseg.inference.backends import Backend
from kerasseg.inference.forward import forward
from kerasseg.segmenter import Segmenter
from kerasseg.serving import bioimageio
from kerasseg.serving.bioimageio import Origin
from kerasseg.spec import Objects

BIOIMAGEIO = os.environ.get("BIOIMAGEIO") or shutil.which("bioimageio")
ORIGIN = Origin(["A. Person"], "CC0-1.0")
rng = np.random.default_rng(0)

CASES = {
    "percentiles": (spec(normalise=Percentile(5, 98), channels=3), np.uint16),
    "whole range of a type": (spec(receptive_radius=(3, 3)), np.uint8),
    "float": (spec(), np.float32),
    "resized": (spec(normalise=Minmax(), resize=(32, 48)), np.uint8),
    "landscape": (spec(objects=Objects("deep_watershed", {"depth": 0.2})), np.uint8),
    "at another scale": (spec(normalise=Minmax(), scale=0.5), np.uint8),
    "volume": (spec(normalise=Percentile(), activation="softmax", stride=(2, 4, 4)), np.uint8),
}


def model_of(spec):
    keras.utils.set_random_seed(0)
    convolution = {2: keras.layers.Conv2D, 3: keras.layers.Conv3D}[spec.rank]
    image = keras.Input((*[None] * spec.rank, spec.channels))
    x = keras.layers.BatchNormalization()(convolution(4, 3, padding="same", activation="relu")(image))
    return keras.Model(image, convolution(spec.outputs, 1, activation=spec.activation)(x))


def image_of(spec, dtype):
    noise = cv2.GaussianBlur(rng.random((90, 100), np.float32), (0, 0), 3)
    noise = (noise - noise.min()) / np.ptp(noise)
    if spec.rank == 3:
        noise = np.repeat(noise[None, :40, :44], 12, axis=0)
    image = np.stack([noise * (c + 1) / spec.channels for c in range(spec.channels)], axis=-1)
    return image if dtype == np.float32 else (image * np.iinfo(dtype).max).astype(dtype)


@pytest.fixture(scope="module", params=CASES)
def written(request, tmp_path_factory):
    spec, dtype = CASES[request.param]
    path = tmp_path_factory.mktemp("package") / "cells.zip"
    image = image_of(spec, dtype)
    bioimageio.write(model_of(spec), path, spec, name="cells", origin=ORIGIN, facts={}, image=image)
    return path, spec, image


needs_bioimageio = pytest.mark.skipif(
    BIOIMAGEIO is None, reason="no program bioimageio, of the package bioimageio.core"
)


def by_bioimageio(*command, folder):
    """Run a command in bioimageio.core's environment, and where it may leave what it unzips."""
    environment = {**os.environ, "BIOIMAGEIO_CACHE_PATH": str(folder), "PYTHONPATH": ""}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return done.stdout


@needs_bioimageio
def test_its_own_program_validates_it_and_runs_it_to_the_same_output(written, tmp_path):
    path, _, _ = written
    printed = by_bioimageio(BIOIMAGEIO, "test", str(path), folder=tmp_path)
    for name in weights_of(path):
        assert f"Run {name}" in " ".join(printed.split()), name


@needs_bioimageio
def test_its_own_library_answers_to_rounding(written, tmp_path):
    path, _, _ = written
    script = Path(__file__).with_name("package_asked_elsewhere.py")
    lines = by_bioimageio(Path(BIOIMAGEIO).with_name("python"), script, path, folder=tmp_path).splitlines()
    differences = dict(line.split()[1:] for line in lines if line.startswith("difference"))
    assert set(differences) == set(weights_of(path))
    assert max(map(float, differences.values())) < 1e-5
    assert "size True" in lines


def weights_of(path):
    with zipfile.ZipFile(path) as package:
        return list(yaml.safe_load(package.read("rdf.yaml"))["weights"])


def test_it_comes_back_as_it_was(written):
    path, spec, image = written
    local = Segmenter(spec, Backend(forward(model_of(spec))))
    back = Segmenter.load(path)
    assert replace(back.spec, weights=spec.weights) == spec
    np.testing.assert_allclose(back.probabilities(image), local.probabilities(image), atol=1e-5)


def as_by_another(path, weights, folder):
    """Take out what only kerasseg reads, and all weights but one."""
    with zipfile.ZipFile(path) as package:
        package.extractall(folder)
    described = yaml.safe_load((folder / "rdf.yaml").read_text())
    del described["config"]
    described["weights"] = {weights: described["weights"][weights]}
    (folder / "rdf.yaml").write_text(yaml.safe_dump(described))
    return described


@pytest.mark.parametrize("weights", ["keras_v3", "tensorflow_saved_model_bundle", "onnx"])
def test_what_it_says_in_the_format_s_words_is_what_was_meant(written, tmp_path, weights):
    path, spec, image = written
    if weights == "onnx":
        pytest.importorskip("tf2onnx")
        pytest.importorskip("onnxruntime")
    as_by_another(path, weights, tmp_path)
    other = Segmenter.load(tmp_path)
    image = np.load(tmp_path / "test_input.npy")[0] if spec.resize else image
    tiling = other.tiling if not spec.resize else replace(other.tiling, overlap=0, padding="inside")
    plain = replace(spec, resize=None, scale=1.0, tiling=tiling, stride=(1,) * spec.rank)
    local = Segmenter(plain, Backend(forward(model_of(spec))))
    other = replace(other, spec=replace(other.spec, tiling=tiling))
    np.testing.assert_allclose(other.probabilities(image), local.probabilities(image), atol=1e-4)


def test_its_test_tensors_are_those_of_the_model(written):
    path, spec, _ = written
    with zipfile.ZipFile(path) as package:
        taken, given = (np.load(package.open(f"test_{name}.npy")) for name in ("input", "output"))
    assert not any(side % stride for side, stride in zip(taken.shape[1:], spec.stride, strict=False))
    expected = model_of(spec)(spec.prepare(taken[0], "test")[None]) if spec.resize is None else given
    np.testing.assert_allclose(given, expected, atol=1e-5)


def test_it_has_a_card_and_a_cover(written):
    path, spec, _ = written
    with zipfile.ZipFile(path) as package:
        names, card = package.namelist(), package.read("README.md").decode()
        cover = cv2.imdecode(np.frombuffer(package.read("cover.jpg"), np.uint8), cv2.IMREAD_COLOR)
    assert cover.shape[0] == cover.shape[1]
    assert {"rdf.yaml", "weights.keras", "saved_model.zip", "test_input.npy"} <= set(names)
    assert "`image` (batch, " in card
    assert ("resize images to that" in card) == (spec.resize is not None or spec.scale != 1)


def test_a_step_says_what_a_normalisation_means():
    assert bioimageio.preprocessing(Dtype(), np.dtype(np.float32), "yx") == [
        {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}
    ]
    (step, _) = bioimageio.preprocessing(Dtype(), np.dtype(np.uint16), "yx")
    assert step == {"id": "scale_linear", "kwargs": {"gain": 1 / 65535}}


@pytest.mark.parametrize(
    ("typed", "known"), [("CC-BY-4.0", "CC-BY-4.0"), ("apache-2.0", "Apache-2.0"), ("mit", "MIT")]
)
def test_a_licence_is_called_as_spdx_calls_it(typed, known):
    assert bioimageio.license_id(typed) == known


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("CC-BY", "did you mean CC-BY-4.0"), ("MIT OR Apache-2.0", ""), ("LicenseRef-ours", ""), ("", "")],
)
def test_a_licence_that_the_zoo_does_not_know_is_refused(typed, hint):
    with pytest.raises(UserError, match=f"--license '{typed}': the zoo wants one identifier .*{hint}"):
        bioimageio.license_id(typed)


def test_what_the_format_has_no_word_for_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no word for Percentile"):
        bioimageio.preprocessing(Percentile(0.1, 0.9), np.dtype(np.uint8), "yx")
    odd = spec(resize=(30, 32))
    with pytest.raises(UserError, match="no word for padding"):
        bioimageio.write(model_of(odd), tmp_path / "a.zip", odd, name="a", origin=Origin(), facts={})
    assert not (tmp_path / "a.zip").exists()
