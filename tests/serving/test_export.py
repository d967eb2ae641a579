"""A SavedModel that answers for raw images as the package does, where the package is not."""

import io
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from specs import spec as grey
from specs import tiling

from kerasseg.cascade import Cascade, Stage
from kerasseg.errors import UserError
from kerasseg.images.histogram_matching import Matching, counts
from kerasseg.images.normalisation import Dtype, Minmax, Percentile
from kerasseg.inference.backends import Backend
from kerasseg.inference.forward import forward
from kerasseg.segmenter import Segmenter
from kerasseg.serving import export as exporting
from kerasseg.serving.export import export, export_cascade
from kerasseg.serving.signatures import Served
from kerasseg.spec import ModelSpec, Objects


def small(channels, outputs, activation="sigmoid"):
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, channels))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, padding="same")(image))
    return keras.Model(image, keras.layers.Conv2D(outputs, 1, activation=activation)(x))


def model_of(spec):
    return small(spec.channels, spec.outputs, spec.activation)


def exported(folder, spec):
    return export(model_of(spec), folder, spec, name="cells", facts={})


def local(spec):
    whole = tiling(tile=256, overlap=0, blend="crop")
    return Segmenter(replace(spec, tiling=whole), Backend(forward(model_of(spec))))


SMALLER = grey(resize=(32, 64))

MODEL = np.random.default_rng(5).normal(90, 25, (40, 40, 1)).clip(1, 255).astype(np.uint8)
MATCHED = grey(match=Matching.to(counts(lambda: [MODEL]), np.uint8, (0,)))
CASES = {
    "plain": grey(),
    "matched": MATCHED,
    "matched and resized": replace(MATCHED, normalise=Percentile(5, 98), resize=(32, 64)),
    "resized": SMALLER,
    "enlarged": grey(resize=(96, 96)),
    "at half the scale": grey(scale=0.5),
    "at a larger scale": grey(scale=1.7, normalise=Percentile(5, 98)),
    "minmax": grey(normalise=Minmax()),
    "percentile": grey(normalise=Percentile(5, 98), channels=3),
    "softmax": grey(activation="softmax", classes=("a", "b")),
    "landscape": grey(classes=("a", "b"), objects=Objects("deep_watershed", {"depth": 0.2})),
}


@pytest.mark.parametrize("case", CASES)
def test_it_answers_as_the_keras_model_does(case):
    spec = CASES[case]
    image = np.random.default_rng(1).integers(0, 255, (45, 70, spec.channels), np.uint8)
    signatures = Served(model_of(spec), spec).signatures()
    served = signatures["serving_default"](image=tf.constant(image[None]))
    np.testing.assert_allclose(served["probabilities"][0], local(spec).predict(image, "image"), atol=1e-5)
    mask = spec.decide(served["probabilities"][0].numpy())
    np.testing.assert_array_equal(served["mask"][0], mask)


@pytest.mark.parametrize("stored", [(45, 70), (200, 31), (96, 96), (20, 300)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_resized_image_is_answered_alike_whatever_its_size_and_type(dtype, stored):
    spec = grey(resize=(96, 64), channels=3)
    signatures = Served(model_of(spec), spec).signatures()
    image = np.random.default_rng(3).integers(0, np.iinfo(dtype).max, (*stored, 3), dtype)
    name = "serving_default" if dtype is np.uint8 else "uint16"
    answer = signatures[name](image=tf.constant(image[None]))["probabilities"][0]
    np.testing.assert_allclose(answer, local(spec).predict(image, "image"), atol=1e-5)


def test_an_export_is_compared_on_the_image_that_is_given(monkeypatch, tmp_path):
    compared = []
    monkeypatch.setattr(
        exporting, "_intensities", lambda image, *_, **__: compared.append(image) or image / np.float32(255)
    )
    image = np.full((40, 50, 1), 80, np.uint8)
    export(model_of(SMALLER), tmp_path, SMALLER, name="cells", facts={}, image=image)
    assert compared[0] is image


@pytest.fixture(scope="module")
def coloured():
    spec = grey(channels=3)
    return Served(model_of(spec), spec).signatures()


def test_grey_images_may_leave_out_their_channels_and_any_type_has_its_signature(coloured):
    grey = np.random.default_rng(1).integers(0, 255, (2, 33, 31), np.uint8)
    answers = [
        coloured["serving_default"](image=tf.constant(grey)),
        coloured["serving_default"](image=tf.constant(np.repeat(grey[..., None], 3, axis=-1))),
        coloured["uint16"](image=tf.constant(grey.astype(np.uint16) * 257)),
        coloured["float32"](image=tf.constant(grey.astype(np.float32) / 255)),
        coloured["encoded"](image_bytes=tf.constant([png(each) for each in grey])),
        coloured["tiles"](tiles=tf.constant(np.repeat(grey[..., None].astype(np.float32) / 255, 3, axis=-1))),
    ]
    for answer in answers:
        assert answer["mask"].dtype == tf.uint8
        np.testing.assert_allclose(answer["probabilities"], answers[0]["probabilities"], atol=1e-5)


def decoded(content):
    return np.atleast_3d(Image.open(io.BytesIO(content)))


def png(image):
    return cv2.imencode(".png", image[..., ::-1] if image.ndim == 3 else image)[1].tobytes()


def jpeg(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "jpeg")
    return file.getvalue()


COLOURS = np.random.default_rng(2).integers(0, 255, (40, 51, 3), np.uint8)
DEEP = COLOURS.astype(np.uint16) * 250 + 3

FILES = {
    "png": (png(COLOURS), COLOURS),
    "grey png": (png(COLOURS[..., 0]), COLOURS[..., :1]),
    "png of 16 bits": (png(DEEP), DEEP),
    "grey png of 16 bits": (png(DEEP[..., 0]), DEEP[..., :1]),
    "jpeg": (jpeg(COLOURS), decoded(jpeg(COLOURS))),
    "grey jpeg": (jpeg(COLOURS[..., 0]), decoded(jpeg(COLOURS[..., 0]))),
}


@pytest.mark.parametrize("spec", [grey(resize=(32, 32)), grey(channels=3)], ids=["grey", "coloured"])
def test_files_are_answered_as_the_pixels_in_them(spec):
    signatures = Served(model_of(spec), spec).signatures()
    for name, (content, pixels) in FILES.items():
        found = signatures["encoded"](image_bytes=tf.constant([content]))
        kind = "uint16" if pixels.dtype == np.uint16 else "serving_default"
        of_pixels = signatures[kind](image=tf.constant(pixels[None]))
        np.testing.assert_array_equal(found["probabilities"], of_pixels["probabilities"], err_msg=name)


def test_8_bits_among_16_stay_as_bright(coloured):
    bright = np.full((40, 51, 3), 255, np.uint8)
    contents = [png(DEEP), png(bright), jpeg(bright)]
    found = coloured["encoded"](image_bytes=tf.constant(contents))["probabilities"]
    alone = coloured["serving_default"](image=tf.constant(bright[None]))["probabilities"][0]
    for mixed in found[1:]:
        np.testing.assert_allclose(mixed, alone, atol=1e-6)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([png(COLOURS), png(COLOURS[1:])], "must have the same size"),
        ([b"no image"], "expected a PNG or a JPEG"),
        ([png(COLOURS)[:200]], "Invalid PNG"),
    ],
)
def test_files_that_cannot_be_answered_are_refused(coloured, contents, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        coloured["encoded"](image_bytes=tf.constant(contents))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("cells"), SMALLER)


def test_what_is_written_answers_as_the_keras_model_does(written):
    assert 0 < written.largest_difference < 1e-5


def test_it_tells_what_it_is(written):
    signatures = tf.saved_model.load(str(written.path)).signatures
    answer = signatures["metadata"](request=tf.constant(["", ""]))["metadata"].numpy()
    found = [ModelSpec.from_json(text.decode()) for text in answer]
    assert found == [SMALLER] * 2


def test_the_network_is_traced_once(monkeypatch):
    calls = []
    model = model_of(grey())
    monkeypatch.setattr("kerasseg.serving.signatures.folded", lambda model: counted(model, calls))
    Served(model, grey()).signatures()
    assert len(calls) == 1


def counted(model, calls):
    class Counted(keras.Model):
        def call(self, x):
            calls.append(x)
            return model(x)

    return Counted()


def test_it_loads_in_a_process_without_kerasseg(written):
    script = (
        "import sys; sys.modules['kerasseg'] = None\n"
        "import tensorflow as tf\n"
        f"serve = tf.saved_model.load({str(written.path)!r}).signatures['serving_default']\n"
        "answer = serve(image=tf.zeros((1, 17, 9, 1), tf.uint8))\n"
        "print(sorted(serve.structured_outputs), answer['mask'].shape)\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "['mask', 'probabilities'] (1, 17, 9)"


def test_versions_rise_and_nothing_is_left_half_done(tmp_path, monkeypatch):
    exported(tmp_path, grey())
    (tmp_path / "7").mkdir()
    exported(tmp_path, grey())
    with pytest.raises(UserError, match="channels"):
        export(small(2, 1), tmp_path, grey(), name="cells", facts={})
    monkeypatch.setattr(exporting.warmup, "write", out_of_space)
    with pytest.raises(UserError, match="cannot be written"):
        exported(tmp_path, grey())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "7", "8"]


def out_of_space(*_):
    raise OSError(28, "No space left on device")


def test_of_exports_at_once_each_gets_a_number_and_all_its_files(tmp_path):
    def finish(content):
        partial = tmp_path / f".{content}"
        partial.mkdir()
        (partial / "saved_model.pb").write_text(str(content))
        return exporting._numbered(partial, tmp_path)

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(finish, range(40)))
    assert {int(path.name) for path in versions} == set(range(1, 41))
    assert [(path / "saved_model.pb").read_text() for path in versions] == [str(n) for n in range(40)]


def test_a_version_is_not_where_versions_are_kept(tmp_path):
    with pytest.raises(UserError, match="numbered by themselves"):
        export(small(1, 1), tmp_path / "3", grey(), name="cells", facts={})


@pytest.fixture(scope="module")
def cascade(tmp_path_factory):
    """Two classes; one within the first of them; one that sees both, at other channels and intensities."""
    specs = {
        "tissue": grey(activation="softmax", classes=("a", "b"), normalise=Minmax()),
        "inside": grey(channels=3, classes=("c",), normalise=Percentile(5, 98)),
        "sight": grey(activation="softmax", classes=("d",), beside=2),
    }
    models = {
        name: small(spec.channels + spec.beside, spec.outputs, spec.activation)
        for name, spec in specs.items()
    }
    seen = {"inside": {"within": ("tissue", 1)}, "sight": {"sees": (("tissue", 2), ("inside", 1))}}
    stages = {
        name: Stage(
            Segmenter(replace(spec, tiling=tiling(tile=256, overlap=0)), Backend(forward(models[name]))),
            **seen.get(name, {}),
        )
        for name, spec in specs.items()
    }
    cascade = Cascade(stages, (("sight", 1), ("inside", 1), ("tissue", 2), ("tissue", 1)))
    written = export_cascade(
        models, tmp_path_factory.mktemp("served") / "em", cascade, name="em", facts={"run": "runs/em"}
    )
    return cascade, written


@pytest.mark.parametrize("size", [(45, 70), (64, 64), (200, 31), (4, 5)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_cascade_is_one_model_that_answers_to_the_last_bit(cascade, size, dtype):
    cascade, written = cascade
    image = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (*size, 1), dtype)
    signatures = tf.saved_model.load(str(written.path)).signatures
    answer = signatures["serving_default" if dtype is np.uint8 else "uint16"](image=tf.constant(image[None]))
    assert len(np.unique(cascade.mask(image))) > 2
    np.testing.assert_array_equal(answer["mask"][0], cascade.mask(image))
    np.testing.assert_array_equal(answer["stages"][0], cascade.origins(image))
    file = tf.io.encode_png(image).numpy()
    np.testing.assert_array_equal(
        signatures["encoded"](image_bytes=tf.constant([file]))["mask"][0], cascade.mask(image)
    )


def test_a_cascade_says_what_it_is(cascade):
    cascade, written = cascade
    assert written.largest_difference == 0
    signatures = tf.saved_model.load(str(written.path)).signatures
    assert set(signatures) == {"serving_default", "uint16", "float32", "encoded", "metadata"}
    told = json.loads(signatures["metadata"](request=tf.constant([""]))["metadata"].numpy()[0])
    assert told["classes"] == ["d", "c", "b", "a"]
    assert told["merge"] == [["sight", 1], ["inside", 1], ["tissue", 2], ["tissue", 1]]
    assert told["stages"]["sight"]["sees"] == [["tissue", 2], ["inside", 1]]
    card = (written.path / "README.md").read_text()
    assert "0 is background, 1 is d, 2 is c, 3 is b, 4 is a" in card
    assert "0 is none, 1 is tissue (b, a), 2 is inside (c), 3 is sight (d)" in card
    assert "no pixel differed" in card
    requests = tf.data.TFRecordDataset(str(written.path / "assets.extra" / "tf_serving_warmup_requests"))
    assert len([*requests]) == 5


def test_a_stage_that_sees_others_is_no_model_of_its_own(tmp_path):
    spec = grey(beside=1)
    with pytest.raises(UserError, match="export the cascade's folder"):
        export(small(2, 1), tmp_path / "cells", spec, name="cells", facts={})


def test_metadata_that_says_too_little_is_refused():
    assert ModelSpec.from_json(json.dumps({**json.loads(grey().to_json()), "newer": 1})) == grey()
    for text in ("", "[]", '{"classes": []}'):
        with pytest.raises(ValueError):  # noqa: PT011 - JSON's own, or ours
            ModelSpec.from_json(text)


@pytest.mark.parametrize("method", [Dtype(), Minmax(), Percentile(5, 98)])
def test_a_normalisation_travels_with_its_numbers(method):
    spec = grey(normalise=method)
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert ModelSpec.from_json(as_told(spec, {method.name: {}})).normalise.name == method.name


def test_a_histogram_travels_and_floats_which_have_none_are_not_asked_for(tmp_path):
    assert ModelSpec.from_json(MATCHED.to_json()) == MATCHED
    before = {name: value for name, value in json.loads(grey().to_json()).items() if name != "match"}
    assert ModelSpec.from_json(json.dumps(before)) == grey()  # of models from before there was any
    written = exported(tmp_path, MATCHED)
    assert written.largest_difference < 1e-5
    signatures = tf.saved_model.load(str(written.path)).signatures
    assert "uint16" in signatures
    assert "float32" not in signatures
    assert "is matched to that of what the model learnt from" in (written.path / "README.md").read_text()


@pytest.mark.parametrize("normalise", ["zscore", {"zscore": {}}, {"percentile": {"gamma": 2}}, {}, 3])
def test_a_normalisation_that_is_not_known_is_no_metadata(normalise):
    with pytest.raises(ValueError, match="normalisation"):
        ModelSpec.from_json(as_told(grey(), normalise))


@pytest.mark.parametrize("objects", ["watershed", {"cellpose": {}}, {"watershed": {"size": 3}}, {}, 3])
def test_a_way_to_objects_that_is_not_known_is_no_metadata(objects):
    with pytest.raises(ValueError, match="from a mask to objects"):
        ModelSpec.from_json(json.dumps({**json.loads(grey().to_json()), "objects": objects}))


def test_objects_tiles_and_sight_travel_too():
    objects = Objects("watershed", {"distance": 4.0, "spacing": (1.0, 0.5), "smallest": 3, "fill": True})
    spec = grey(
        objects=objects,
        tiling=tiling(tile=64, overlap="auto", blend="crop", padding="zero", tta="d4"),
        receptive_radius=(20, 20),
    )
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert ModelSpec.from_json(grey().to_json()) == grey()


def as_told(spec, normalise):
    return json.dumps({**json.loads(spec.to_json()), "normalise": normalise})
