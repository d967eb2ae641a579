"""Packages of the BioImage Model Zoo that others made: what is run is what they say, and nothing else is."""

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml
from typer.testing import CliRunner

from kerasseg.cli.main import app
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.inference import package
from kerasseg.inference.backends import Backend
from kerasseg.segmenter import Segmenter

BIOIMAGEIO = os.environ.get("BIOIMAGEIO") or shutil.which("bioimageio")
rng = np.random.default_rng(0)


def darker(channels_first=False):
    """A network that doubles: what it is shown can be told from what it answers."""
    shape = (1, None, None) if channels_first else (None, None, 1)
    image = keras.Input(shape)
    return keras.Model(image, keras.layers.Rescaling(0.5)(image))


def axes(order, size, channels=("c",), **more):
    """Axes such as of "bcyx"; z, y and x are of one size."""
    kinds = {"b": {"type": "batch"}, "c": {"type": "channel", "channel_names": list(channels)}}
    return [kinds.get(letter) or {"type": "space", "id": letter, "size": size, **more} for letter in order]


SIZE = {"min": 16, "step": 8}


def write(folder, model, *, order="byxc", size=SIZE, classes=("cell",), dtype="uint8", halo=None, **changes):
    """Write a package as another program would; a list in `changes` is of steps."""
    folder.mkdir(exist_ok=True)
    model.save(folder / "model.keras")
    described = {
        "format_version": "0.5.9",
        "type": "model",
        "name": "as by another",
        "inputs": [
            {
                "id": "raw",
                "axes": axes(order, size),
                "data": {"type": dtype},
                "preprocessing": changes.pop("preprocessing", [step("ensure_dtype", dtype="float32")]),
            }
        ],
        "outputs": [
            {
                "id": "prediction",
                "axes": answered(order, size, classes, halo),
                "postprocessing": changes.pop("postprocessing", []),
            }
        ],
        "weights": {"keras_v3": source(folder, "model.keras")},
        **changes,
    }
    (folder / "rdf.yaml").write_text(yaml.safe_dump(described))
    return folder


def answered(order, size, classes, halo):
    """The axes of an answer that is as large as the image."""
    given = axes(order, size, classes, **({"halo": halo} if halo else {}))
    for axis in given:
        if axis["type"] == "space":
            axis["size"] = {"tensor_id": "raw", "axis_id": axis["id"]}
    return given


def step(name, **arguments):
    return {"id": name, "kwargs": arguments}


def source(folder, name):
    return {"source": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}


def amend(folder, **changes):
    """Change a package's description."""
    described = yaml.safe_load((folder / "rdf.yaml").read_text()) | changes
    (folder / "rdf.yaml").write_text(yaml.safe_dump(described))
    return folder


IMAGE = rng.integers(0, 100, (21, 50), np.uint8)


def ask(path):
    """Load a package, and have its network opened by an image."""
    return Segmenter.load(path).probabilities(IMAGE)


def test_steps_before_and_after_are_done(tmp_path):
    before = [step("scale_linear", gain=0.01), step("ensure_dtype", dtype="float32")]
    after = [step("scale_linear", offset=0.25), step("binarize", threshold=0.5)]
    write(tmp_path / "a", darker(), preprocessing=before, postprocessing=after)
    segmenter = Segmenter.load(tmp_path / "a")
    np.testing.assert_allclose(segmenter.probabilities(IMAGE)[..., 0], IMAGE * 0.005 + 0.25, atol=1e-6)
    np.testing.assert_array_equal(segmenter.mask(IMAGE), IMAGE >= 50)


def test_without_the_last_word_numbers_are_cast_back_to_the_image_s_type(tmp_path):
    write(tmp_path / "a", darker(), preprocessing=[step("scale_linear", gain=0.1)])
    found = Segmenter.load(tmp_path / "a").probabilities(IMAGE)[..., 0]
    np.testing.assert_array_equal(found, IMAGE // 10 * 0.5)


@pytest.mark.parametrize("order", ["byxc", "bcyx", "cyx", "yx", "xyb"])
def test_axes_may_stand_in_any_order(tmp_path, order):
    if order == "byxc":
        model = darker()
    elif order == "bcyx":
        model = darker(channels_first=True)
    else:
        image = keras.Input(batch_shape=(None,) * len(order))
        model = keras.Model(image, keras.layers.Rescaling(0.5)(image))
    write(tmp_path / "a", model, order=order)
    found = Segmenter.load(tmp_path / "a").probabilities(IMAGE)
    np.testing.assert_allclose(found, IMAGE[..., None] * 0.5)


def test_a_volume_is_answered(tmp_path):
    image = keras.Input((1, None, None, None))
    write(tmp_path / "a", keras.Model(image, keras.layers.Rescaling(0.5)(image)), order="bczyx")
    volume = rng.integers(0, 9, (5, 20, 70), np.uint8)
    segmenter = Segmenter.load(tmp_path / "a")
    np.testing.assert_allclose(segmenter.probabilities(volume)[..., 0], volume * 0.5)
    with pytest.raises(UserError, match="give one image at a time"):
        segmenter.probabilities(IMAGE)


@pytest.mark.parametrize(
    ("size", "tile"), [(24, 24), ({"min": 20, "step": 50}, 270), ({"min": 400, "step": 1}, 400)]
)
def test_tiles_are_of_the_sizes_that_a_package_takes(tmp_path, size, tile):
    seen = []
    write(tmp_path / "a", darker(), size=size, halo=3)
    segmenter = Segmenter.load(tmp_path / "a")
    assert segmenter.tiling.overlap == (3, 3)
    inner = package.open_network(tmp_path / "a", "tensorflow")
    noting = replace(segmenter, backend=Backend(lambda batch: seen.append(batch.shape) or inner(batch)))
    np.testing.assert_allclose(noting.probabilities(IMAGE)[..., 0], IMAGE * 0.5)
    assert {shape[1:] for shape in seen} == {(tile, tile, 1)}


def test_a_tile_that_a_package_does_not_take_is_refused(tmp_path):
    write(tmp_path / "a", darker())
    files.write(tmp_path / "images/a.png", IMAGE[..., None])
    answer = CliRunner().invoke(
        app, ["predict", *map(str, (tmp_path / "a", tmp_path / "images", tmp_path / "out")), "--tile", "77"]
    )
    assert answer.exit_code == 2
    assert "the model takes no tiles of 77 x 77" in answer.output


def test_the_verb_takes_a_zip(tmp_path):
    write(
        tmp_path / "a",
        darker(),
        preprocessing=[step("scale_linear", gain=0.01), step("ensure_dtype", dtype="float32")],
    )
    zipped = shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "a")
    files.write(tmp_path / "images/a.png", IMAGE[..., None] * 2)
    answer = CliRunner().invoke(app, ["predict", zipped, *map(str, (tmp_path / "images", tmp_path / "out"))])
    assert answer.exit_code == 0, answer.output
    written = files.read(tmp_path / "out/a.mask.png")[..., 0]
    np.testing.assert_array_equal(written > 0, IMAGE * 2 >= 100)
    assert json.loads((tmp_path / "out/predictions.json").read_text())


def test_several_classes_exclude_each_other_where_a_softmax_says_so(tmp_path):
    image = keras.Input((None, None, 1))
    both = keras.Model(image, keras.layers.Concatenate()([image, -image]))
    write(tmp_path / "soft", both, classes=("background", "cell"), postprocessing=[step("softmax")])
    write(tmp_path / "free", both, classes=("cell", "rim"), postprocessing=[step("sigmoid")])
    soft, free = Segmenter.load(tmp_path / "soft"), Segmenter.load(tmp_path / "free")
    pixels = np.array([[0, 3]], np.uint8)
    assert (soft.spec.classes, soft.spec.activation) == (("cell",), "softmax")
    np.testing.assert_allclose(
        soft.probabilities(pixels)[0, 1], [1 / (1 + np.exp(-6)), 1 / (1 + np.exp(6))], rtol=1e-4
    )
    assert free.mask(pixels).tolist() == [[[1, 1], [1, 0]]]


REFUSED = {
    "torch": ({"weights": {"pytorch_state_dict": {"source": "a.pt"}}}, "PyTorch's are not at all"),
    "old": ({"format_version": "0.4.10"}, "version 0.4.10.*update-format"),
    "elsewhere": ({"weights": {"keras_v3": {"source": "https://a.org/model.keras"}}}, "nothing is fetched"),
    "above": ({"weights": {"keras_v3": {"source": "../model.keras"}}}, "leads out of the package"),
    "absolute": ({"weights": {"keras_v3": {"source": "/etc/passwd"}}}, "leads out of the package"),
    "other file": ({"weights": {"keras_v3": {"source": "model.keras", "sha256": "0" * 64}}}, "SHA-256"),
    "no file": ({"weights": {"keras_v3": {"source": "m.keras"}}}, "its file m.keras is missing"),
    "two inputs": ({"inputs": [{"id": "a", "axes": []}, {"id": "b", "axes": []}]}, r"2 inputs \(a, b\)"),
    "no inputs": ({"inputs": []}, "inputs: .*the package is not valid"),
    "a dataset": ({"type": "dataset"}, "type: input should be 'model'"),
    "its own code": ({}, "the step 'custom' is not known here"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_run_here_is_said(tmp_path, case):
    changes, message = REFUSED[case]
    after = [step("custom", callable="f")] if case == "its own code" else []
    amend(write(tmp_path / "a", darker(), postprocessing=after), **changes)
    with pytest.raises(UserError, match=message):
        ask(tmp_path / "a")


def test_other_sizes_than_the_image_s_are_refused(tmp_path):
    folder = write(tmp_path / "a", darker())
    described = yaml.safe_load((folder / "rdf.yaml").read_text())
    described["outputs"][0]["axes"][1]["size"]["offset"] = -4
    with pytest.raises(UserError, match="another size than raw"):
        ask(amend(folder, **described))


def test_links_out_of_a_package_are_not_followed(tmp_path):
    folder = write(tmp_path / "a", darker())
    (folder / "model.keras").rename(tmp_path / "model.keras")
    (folder / "model.keras").symlink_to(tmp_path / "model.keras")
    with pytest.raises(UserError, match="leads out of the package"):
        ask(folder)


def test_a_damaged_zip_is_said(tmp_path):
    write(tmp_path / "a", darker())
    zipped = Path(shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "a"))
    content = bytearray(zipped.read_bytes())
    content[200:260] = bytes(60)
    zipped.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged|is missing|is not"):
        ask(zipped)


class Writes(tf.Module):
    """What a SavedModel may do beside computing."""

    def __init__(self, path):
        super().__init__()
        self.path = str(path)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 1), tf.float32)])
    def answer(self, image):
        tf.io.write_file(self.path, "here")
        return {"answer": image}


class Tables(tf.Module):
    def __init__(self):
        super().__init__()
        pairs = tf.lookup.KeyValueTensorInitializer(["a"], [1.0])
        self.table = tf.lookup.StaticHashTable(pairs, 0.0)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 1), tf.float32)])
    def answer(self, image):
        return {"answer": image + self.table.lookup(tf.constant("a"))}


@pytest.mark.parametrize(
    ("kind", "message"), [("writes", "does more.*WriteFile"), ("tables", "brings tables")]
)
def test_a_saved_model_that_does_more_than_compute_is_not_run(tmp_path, kind, message):
    module = Writes(tmp_path / "out.txt") if kind == "writes" else Tables()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"serving_default": module.answer})
    folder = write(tmp_path / "a", darker())
    shutil.make_archive(str(folder / "saved"), "zip", tmp_path / "saved")
    amend(folder, weights={"tensorflow_saved_model_bundle": source(folder, "saved.zip")})
    with pytest.raises(UserError, match=message):
        ask(folder)
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.skipif(BIOIMAGEIO is None, reason="no program bioimageio, of the package bioimageio.core")
def test_a_package_of_its_own_library_is_answered_as_that_library_does(tmp_path):
    pytest.importorskip("onnxruntime")
    python = Path(BIOIMAGEIO).with_name("python")
    environment = {**os.environ, "BIOIMAGEIO_CACHE_PATH": str(tmp_path / "cache"), "PYTHONPATH": ""}
    command = [python, Path(__file__).with_name("package_made_elsewhere.py"), str(tmp_path)]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-3000:]
    image = np.moveaxis(np.load(tmp_path / "in.npy")[0], 0, -1)
    theirs = np.moveaxis(np.load(tmp_path / "theirs.npy")[0], 0, -1)
    found = Segmenter.load(tmp_path / "made.zip").probabilities(image)
    inside = (slice(2, -2), slice(2, -2))  # beyond the border they see zeros, and tiles a reflection
    np.testing.assert_allclose(found[inside], theirs[inside], atol=1e-5)
