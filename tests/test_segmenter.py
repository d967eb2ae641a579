"""A trained model as one object: from stored pixels to results at the image's own size."""

import json
import warnings
from dataclasses import asdict, replace
from zipfile import ZipFile

import keras
import numpy as np
import pytest
import tifffile
from specs import segmenter, spec, write_run

import kerasseg
from kerasseg.errors import Blocked, Notice, UserError
from kerasseg.images import files
from kerasseg.images.appearance import Appearance, Unlike
from kerasseg.images.normalisation import Minmax, Percentile
from kerasseg.images.stores.store import open_store
from kerasseg.segmenter import load_trained
from kerasseg.spec import ModelSpec, Objects


def echo(batch):
    """Answer with the image itself."""
    return batch[..., :1].copy()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_model_sees_the_range_of_a_type_as_zero_to_one(dtype):
    image = np.array([[0, np.iinfo(dtype).max]], dtype)
    np.testing.assert_allclose(segmenter(echo).probabilities(image)[..., 0], [[0, 1]], atol=1e-6)


def test_what_was_resized_comes_back_at_its_own_size():
    image = np.full((50, 70, 3), 51, np.uint8)
    resizing = segmenter(echo, channels=3, resize=(32, 64))
    assert resizing.predict(image, "a.png", resized=True).shape == (32, 64, 1)
    np.testing.assert_allclose(resizing.probabilities(image), np.full((50, 70, 1), 0.2), atol=1e-6)


def test_a_message_names_the_file():
    with pytest.raises(UserError, match=r"odd\.tif"):
        segmenter(echo, channels=3).predict(np.zeros((4, 4, 5), np.uint8), "odd.tif")


def test_bands_of_a_file_are_the_whole_image(tmp_path):
    image = np.random.default_rng(0).integers(0, 1000, (150, 90, 1), np.uint16)
    files.write(tmp_path / "a.tif", image)
    stretching = segmenter(echo, normalise=Percentile(5, 98))
    whole = stretching.probabilities(image)
    np.testing.assert_allclose(stretching.probabilities(tmp_path / "a.tif"), whole, atol=1e-6)
    with open_store(tmp_path / "a.tif") as store:
        bands = [(rows, band.copy()) for rows, band in stretching.bands(store)]
        np.testing.assert_allclose(np.concatenate([band for _, band in bands]), whole, atol=1e-6)
        rest = [band.copy() for _, band in stretching.bands(store, first_row=bands[1][0].start)]
        np.testing.assert_array_equal(np.concatenate(rest), np.concatenate([band for _, band in bands[1:]]))


def test_masks_and_labels_are_made_of_probabilities():
    image = np.array([[255, 255, 0, 200], [0, 0, 0, 200]], np.uint8)
    assert segmenter(echo).mask(image).tolist() == [[1, 1, 0, 1], [0, 0, 0, 1]]
    assert segmenter(echo).labels(image).tolist() == [[1, 1, 0, 2], [0, 0, 0, 2]]


def test_classes_that_may_meet_are_decided_and_numbered_by_themselves():
    image = np.array([[[255, 200], [0, 200], [255, 0]]], np.uint8)
    both = segmenter(np.copy, channels=2, classes=("golgi", "nuclei"), multilabel=True)
    assert both.mask(image).tolist() == [[[1, 1], [0, 1], [1, 0]]]
    assert both.labels(image).tolist() == [[[1, 1], [0, 1], [2, 0]]]


def test_a_volume_needs_no_axis_of_channels():
    volume = np.zeros((5, 6, 7), np.uint8)
    volume[2, 3, 4] = 255
    of_volumes = segmenter(echo, {"tile": 8, "overlap": 0}, stride=(1, 1, 1))
    assert np.argwhere(of_volumes.mask(volume)).tolist() == [[2, 3, 4]]


@pytest.mark.parametrize("dtype", ["u2", ">u2", "i4", "i8", "f4", ">f4", "f8"])
@pytest.mark.parametrize("normalisation", [Minmax(), Percentile(5, 98)])
def test_an_array_of_any_type_is_what_its_numbers_are(dtype, normalisation):
    image = np.random.default_rng(0).integers(0, 256, (40, 30)).astype(np.uint8)
    stretching = segmenter(echo, normalise=normalisation)
    whole = stretching.probabilities(image)
    np.testing.assert_allclose(stretching.probabilities(image.astype(dtype)), whole, atol=1e-6)


def test_floats_and_bits_are_black_at_0_and_white_at_1():
    bits = np.array([[True, False, True]])
    for dtype in (bool, np.float16, np.float64):
        assert segmenter(echo).probabilities(bits.astype(dtype))[..., 0].tolist() == [[1, 0, 1]]


@pytest.mark.parametrize("shape", [(7,), (3, 5, 6), (2, 3, 4, 1), (1, 2, 3, 4, 5)])
def test_an_array_of_other_axes_is_refused_and_told_what_the_model_takes(shape):
    takes = r"takes \(Y, X\) or \(Y, X, C\) with C = 1; give one image at a time"
    with pytest.raises(UserError, match=takes):
        segmenter(echo).labels(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("shape", "model", "wanted"),
    [
        ((5, 6), {"stride": (8, 8, 8)}, "takes a volume"),
        ((3, 5, 6), {"stride": (8, 8)}, "takes a 2-D image"),
        ((3, 5, 6), {"resize": (32, 32)}, "takes a 2-D image"),
    ],
)
def test_images_and_volumes_are_not_taken_for_each_other(tmp_path, shape, model, wanted):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), metadata={"axes": "ZYX"[-len(shape) :]})
    with pytest.raises(UserError, match=rf"a\.tif.*{wanted}.*--axes"):
        segmenter(echo, **model).probabilities(tmp_path / "a.tif")


def test_what_identifies_its_answers_holds_the_overlap_that_it_chose(capsys):
    chosen = segmenter(echo, {"overlap": "auto"}, receptive_radius=(9, 9)).settings()
    assert (chosen["model"], chosen["threshold"], chosen["predict"]["overlap"]) == ("ab", 0.5, 9)
    assert capsys.readouterr().out.count("overlap auto") == 1


def test_a_run_that_is_not_there_or_has_no_model_is_said(tmp_path):
    with pytest.raises(UserError, match=r"cells/1: not a run; .*holds recipe\.yaml"):
        kerasseg.Segmenter.load(tmp_path / "runs/cells/1")
    (tmp_path / "recipe.yaml").touch()
    with pytest.raises(
        UserError, match="no trained model yet; continue it with kerasseg run RECIPE --resume"
    ):
        kerasseg.Segmenter.load(tmp_path)
    failed = {"state": "failed", "error": "the disk is full\nmore"}
    (tmp_path / "status.json").write_text(json.dumps(failed))
    with pytest.raises(UserError, match="no trained model; it failed: the disk is full; correct that"):
        kerasseg.Segmenter.load(tmp_path)


PIXELS = np.array([[0, 255]], np.uint8)


@pytest.fixture
def run(tmp_path):
    """A run of a network that answers with the image itself."""
    image = keras.Input((None, None, 1))
    write_run(tmp_path, keras.Model(image, keras.layers.Identity()(image)))
    return tmp_path


def test_a_run_is_loaded_by_its_folder_or_its_model(run):
    for path in (run, str(run), run / "model.keras"):
        loaded = kerasseg.Segmenter.load(path)
        assert loaded.mask(PIXELS).tolist() == [[0, 1]]


def test_a_run_that_was_interrupted_has_not_failed(tmp_path):
    (tmp_path / "recipe.yaml").touch()
    (tmp_path / "status.json").write_text('{"state": "interrupted", "error": "keeps what is complete"}')
    with pytest.raises(UserError, match="has no trained model yet; continue it with kerasseg run RECIPE"):
        kerasseg.Segmenter.load(tmp_path)


@pytest.mark.parametrize("name", ["model.keras", "spec.json"])
def test_a_file_that_a_finished_run_lost_is_named(run, name):
    (run / name).unlink()
    (run / "status.json").write_text('{"state": "finished"}')
    with pytest.raises(UserError, match=f"it has finished, but {name} is not there; copy the whole folder"):
        kerasseg.Segmenter.load(run)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda model: model[: len(model) // 2], "not a Keras model, or not all of it"),
        (lambda model: model.replace(b"layers", b"lawyer", 1), "is damaged .*CRC"),
    ],
)
def test_a_damaged_model_is_refused_by_name(run, damage, message):
    with ZipFile(run / "model.keras") as compressed, ZipFile(run / "plain.keras", "w") as plain:
        for name in compressed.namelist():
            plain.writestr(name, compressed.read(name))
    (run / "model.keras").write_bytes(damage((run / "plain.keras").read_bytes()))
    with pytest.raises(Blocked, match=rf"model\.keras: this .*{message}"):
        kerasseg.Segmenter.load(run).mask(PIXELS)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("threshold", 2, "threshold is 2; expected a probability"),
        ("threshold", "half", "a value is of another type"),
        ("stride", 8, "a value is of another type"),
        ("tiling", None, "a value is of another type"),
        ("normalise", {"percentile": {"low": 9, "high": 1}}, "low must be less than high"),
    ],
)
def test_a_spec_with_a_wrong_value_is_refused_by_name(run, key, value, message):
    (run / "spec.json").write_text(json.dumps({**json.loads(spec().to_json()), key: value}))
    with pytest.raises(UserError, match=rf"spec\.json: .*{message}"):
        kerasseg.Segmenter.load(run)


@pytest.mark.parametrize("other", [{"channels": 3}, {"classes": ("a", "b")}, {"stride": (4, 4, 4)}])
def test_a_spec_of_another_model_is_refused(run, other):
    (run / "spec.json").write_text(spec(**other).to_json())
    with pytest.raises(Blocked, match=r"model\.keras: it takes .*copy both files from one run"):
        load_trained(run)


def test_weights_of_another_model_are_refused(run):
    (run / "spec.json").write_text(spec(weights="ab").to_json())
    with pytest.raises(Blocked, match=r"model\.keras: its weights are not those of spec\.json"):
        kerasseg.Segmenter.load(run).mask(PIXELS)


def test_public_names_are_those_that_are_listed():
    assert kerasseg.__all__ == ["Cascade", "Segmenter", "__version__"]
    public = {name for name in dir(kerasseg.Segmenter) if not name.startswith("_")}
    results = {"probabilities", "mask", "labels"}
    assert public == results | {
        "load",
        "connect",
        "on_cluster",
        "fitted",
        "predict",
        "bands",
        "seams",
        "tiles",
        "tiling",
        "settings",
    }


def smooth(height=90, width=70):
    """Make a picture of slow waves, uint16, which survives a change of its size."""
    rows, columns = np.mgrid[:height, :width]
    return (32768 + 30000 * np.sin(rows / 9) * np.cos(columns / 11)).astype(np.uint16)


def test_the_network_sees_objects_as_large_as_it_learnt_them_and_results_have_the_image_s_size():
    seen = []

    def forward(batch):
        seen.append(batch.shape[1:3])
        return echo(batch)

    large_tile = {"tile": 128, "overlap": 0}
    probabilities = segmenter(forward, large_tile, diameter=10).probabilities(smooth(), diameter=20)
    assert seen == [(48, 36)]  # half of 90 x 70, in multiples of the stride
    np.testing.assert_allclose(probabilities[..., 0], smooth() / 65535, atol=0.04)
    segmenter(forward, large_tile, diameter=10).probabilities(smooth(), diameter=10.5)
    assert seen[1:] == [(92, 72)], "a scale that is all but the learnt one is left as it is"


@pytest.mark.parametrize("diameter", [4, 17, 40])
@pytest.mark.parametrize("blend", ["crop", "hann"])
def test_bands_of_a_file_at_another_scale_are_the_whole_image(tmp_path, diameter, blend):
    files.write(tmp_path / "a.tif", smooth(150, 90))
    scaling = segmenter(echo, {"blend": blend}, diameter=10)
    whole = scaling.probabilities(smooth(150, 90), diameter=diameter)
    np.testing.assert_allclose(scaling.probabilities(tmp_path / "a.tif", diameter=diameter), whole, atol=1e-6)
    with open_store(tmp_path / "a.tif") as store:
        fitted = scaling.fitted(diameter)
        bands = [(rows, band.copy()) for rows, band in fitted.bands(store)]
        np.testing.assert_allclose(np.concatenate([band for _, band in bands]), whole, atol=1e-6)
        rest = [band.copy() for _, band in fitted.bands(store, first_row=bands[1][0].start)]
        np.testing.assert_array_equal(np.concatenate(rest), np.concatenate([band for _, band in bands[1:]]))


def test_pixels_of_another_size_bring_an_image_to_the_scale_that_the_model_knows(tmp_path):
    metadata = {"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    tifffile.imwrite(tmp_path / "a.ome.tif", smooth(), metadata=metadata)
    scaling = segmenter(echo, pixel_size=0.5, diameter=10)
    with pytest.warns(Notice, match=r"0\.50 of their size: .* 0\.25 x 0\.25 µm, .* at 0\.5"):
        by_size = scaling.probabilities(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(by_size, scaling.probabilities(smooth(), diameter=20))
    as_it_is = segmenter(echo).probabilities(tmp_path / "a.ome.tif")
    np.testing.assert_allclose(as_it_is[..., 0], smooth() / 65535, atol=1e-6)


def test_lengths_and_areas_of_objects_are_those_of_the_image():
    arguments = {"distance": 10.0, "smallest": 20, "fill": True, "spacing": None}
    fitted = segmenter(echo, diameter=10, objects=Objects("watershed", arguments)).fitted(20)
    assert fitted.spec.objects.arguments == {**arguments, "distance": 20.0, "smallest": 80}
    kept = Objects("by_size", {"smallest": (100, 40)}).at(0.5)
    assert kept.arguments == {"smallest": (25, 10)}


@pytest.mark.parametrize(
    ("model", "diameter", "message"),
    [
        ({}, 20, "does not know the diameter"),
        ({"diameter": 10, "resize": (32, 32)}, 20, "all images in one size, 32 x 32"),
        ({"diameter": 10}, 0, "expected pixels, above 0"),
        ({"diameter": 10}, float("nan"), "expected pixels, above 0"),
        ({"diameter": 10}, 0.4, "^diameter 0.4: .* at 25 times its size; expected 0.5 to 200 pixels"),
        ({"diameter": 10}, 1e9, "^diameter 1e\\+09: .*expected 0.5 to 200 pixels"),
    ],
)
def test_a_diameter_that_leads_nowhere_is_refused(model, diameter, message):
    with pytest.raises(UserError, match=message):
        segmenter(echo, **model).labels(smooth(), diameter=diameter)


def test_a_specification_holds_the_appearance_and_older_ones_have_none():
    appearance = Appearance.of([smooth()[..., None].astype(np.float32) / 255])
    said = json.loads(spec(appearance=appearance).to_json())
    assert ModelSpec.from_json(json.dumps(said)).appearance == appearance
    said.pop("appearance")
    assert ModelSpec.from_json(json.dumps(said)) == spec()
    with pytest.raises(ValueError, match="appearance"):
        ModelSpec.from_json(json.dumps({**said, "appearance": {**asdict(appearance), "side": -1}}))


def test_older_specifications_know_no_scale():
    said = json.loads(spec(diameter=9.5, pixel_size=0.3).to_json())
    assert ModelSpec.from_json(json.dumps(said)).diameter == 9.5
    older = {key: value for key, value in said.items() if key not in ("diameter", "pixel_size")}
    assert ModelSpec.from_json(json.dumps(older)) == spec()


def test_an_image_unlike_those_of_the_training_is_told_of_as_the_network_sees_it(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 60, (20, 64, 64, 1)).astype(np.float32) / 255
    learnt = segmenter(echo, appearance=Appearance.of(noise))
    image = rng.integers(0, 60, (64, 64, 1), np.uint8)
    files.write(tmp_path / "a.png", image)
    files.write(tmp_path / "b.png", 255 - image)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Unlike)
        learnt.mask(image)
        learnt.mask(tmp_path / "a.png")
        segmenter(echo).mask(255 - image)  # an older model, of which nobody knows what it learnt from
    with pytest.warns(Unlike, match="the array: .* brighter.*: invert it"):
        learnt.mask(255 - image)
    with pytest.warns(Unlike, match=r"b\.png: .* brighter"):
        learnt.mask(tmp_path / "b.png")
    with pytest.warns(Unlike, match="of coarser structures"):  # enlarged, it is unlike
        replace(learnt, spec=replace(learnt.spec, diameter=20)).mask(image, diameter=5)


def test_what_becomes_of_colours_is_said_unless_there_are_none_or_one_channel_is_chosen(tmp_path):
    colours = np.zeros((4, 5, 3), np.uint8)
    colours[1:3, 1:4] = (10, 60, 200)
    stored = {"colours": colours, "greys": np.repeat(colours[..., 2:], 3, axis=-1), "one": colours[..., :1]}
    for name, image in stored.items():
        files.write(tmp_path / f"{name}.png", image)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Notice)
        segmenter(echo).mask(tmp_path / "greys.png")
        segmenter(echo).mask(tmp_path / "one.png")
        segmenter(echo, channels=3).mask(tmp_path / "colours.png")
        with open_store(tmp_path / "colours.png", channel=2) as blue:
            band = next(segmenter(echo).bands(blue))[1].copy()
    np.testing.assert_allclose(band[..., 0] * 255, colours[..., 2], atol=1e-4)
    with pytest.warns(Notice, match="^colour images are made grey.*--channel 0, 1 or 2$"):
        segmenter(echo).mask(tmp_path / "colours.png")
