"""A result on disk is what the predictor says, for every format, and a kill costs no more than a band."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
import tifffile
from specs import segmenter

from kerasseg import postprocess
from kerasseg.annotations.documents import Options
from kerasseg.annotations.draw import draw_mask
from kerasseg.annotations.formats import FORMATS
from kerasseg.errors import Blocked, Notice, UserError
from kerasseg.images import files, masks
from kerasseg.images.normalisation import Percentile
from kerasseg.images.stores.store import open_store
from kerasseg.inference import large_image
from kerasseg.inference.large_image import Output, segment
from kerasseg.report import pictures
from kerasseg.spec import Objects

needs_zarr = pytest.mark.skipif(find_spec("zarr") is None, reason="zarr is not installed")


def bright(batch):
    """A model that finds bright pixels."""
    return batch[..., :1].copy()


def predictor(forward=bright, **changes):
    return segmenter(forward, changes)


def another_model():
    return segmenter(bright, weights="cd")


@pytest.fixture
def image(tmp_path):
    """Blobs on a size that is a multiple of nothing; the file holds a pixel size."""
    noise = np.random.default_rng(0).random((151, 83))
    blobs = (255 * (np.kron(np.random.default_rng(1).random((16, 9)), np.ones((10, 10)))[:151, :83])).round()
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.where(noise > 0.02, blobs, 0).astype(np.uint8),
        resolution=(40000, 40000),
        resolutionunit="CENTIMETER",
    )
    return tmp_path / "a.tif"


def expected_mask(image):
    return masks.decide(files.read(image) / np.float32(255), 0.5)


@pytest.mark.parametrize("to", ["png", "tiff", pytest.param("zarr", marks=needs_zarr)])
def test_a_mask_in_every_format(image, tmp_path, to):
    segment(image, tmp_path / f"m.{to}", predictor(), Output("mask", to))

    if to == "png":
        found = files.read_values(tmp_path / "m.png")[..., 0]
    else:
        with open_store(tmp_path / f"m.{to}") as store:
            found = store.read((slice(None), slice(None)))[..., 0]
            assert store.pixel_size == pytest.approx((0.25, 0.25))
    np.testing.assert_array_equal(found, expected_mask(image))
    assert not list(tmp_path.glob(".*"))


def test_a_diameter_changes_what_is_seen_and_not_the_size_of_results(image, tmp_path):
    model = segmenter(bright, diameter=10)
    segment(image, tmp_path / "l.tif", model, Output("labels", "tiff"), diameter=25)
    found = tifffile.imread(tmp_path / "l.tif")
    np.testing.assert_array_equal(found, model.labels(image, diameter=25))
    assert found.shape == (151, 83)
    assert (found != model.labels(image)).any()
    assert not segment(image, tmp_path / "l.tif", model, Output("labels", "tiff"), diameter=25).new
    with pytest.raises(UserError, match="diameter: 25 then, 20 now"):
        segment(image, tmp_path / "l.tif", model, Output("labels", "tiff"), diameter=20)


def test_the_size_of_pixels_is_obeyed_where_both_know_it(image, tmp_path):
    model = segmenter(bright, pixel_size=0.5)
    with pytest.warns(Notice, match=r"0\.50 of their size"):
        segment(image, tmp_path / "m.png", model, Output("mask", "png"))
    found = files.read_values(tmp_path / "m.png")[..., 0]
    assert found.shape == (151, 83)
    assert 0 < (found != expected_mask(image)).mean() < 0.2


def test_labels_are_those_of_the_whole_mask(image, tmp_path):
    segment(image, tmp_path / "l.tif", predictor(), Output("labels", "tiff"))
    expected = postprocess.labels(expected_mask(image))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "l.tif"), expected)


@pytest.mark.parametrize("to", ["labelme", "geojson", "imagej", "coco"])
def test_outlines_of_labels_in_the_formats_of_other_programs(image, tmp_path, to):
    output = Output("labels", to)
    segment(image, tmp_path / f"a{output.suffix}", predictor(), output)
    drawings = FORMATS[to].load().read_drawings(tmp_path / f"a{output.suffix}", Options(classes=["cell"]))
    (drawing,) = drawings.values()
    assert {shape.label for shape in drawing.shapes} == {"cell"}
    expected = expected_mask(image)
    drawn = draw_mask(drawing.shapes, expected.shape, ["cell"])
    assert (drawn == expected).mean() > 0.98


def test_probabilities_keep_their_values(image, tmp_path):
    segment(image, tmp_path / "p.tif", predictor(blend="crop"), Output("probabilities", "tiff"))
    found = tifffile.imread(tmp_path / "p.tif")
    np.testing.assert_allclose(np.squeeze(found), files.read(image)[..., 0] / np.float32(255), atol=1e-7)


def test_a_real_image_of_nuclei_and_golgi_is_read_predicted_and_drawn(shared_data, tmp_path):
    path, classes = shared_data / "neubias" / "xyc_16bit__nuclei_golgi.tif", ("nuclei", "golgi")
    stretch = Percentile(low=5, high=98)
    tiles = {"tile": 64, "overlap": 0, "blend": "crop"}
    # Its answer is the stretched image itself.
    channels = segmenter(
        np.array, tiles, channels=2, normalise=stretch, classes=classes, multilabel=True, stride=(1, 1)
    )
    segment(path, tmp_path / "m.tif", channels, Output("mask", "tiff"))

    with open_store(tmp_path / "m.tif") as store:
        mask = store.read((slice(None),) * 2)
    image = files.read(path)
    assert mask.shape == image.shape == (220, 204, 2)
    low, high = np.percentile(image, (5, 98), axis=(0, 1))
    np.testing.assert_array_equal(mask, (image - low) / (high - low) >= 0.5)
    picture = pictures.overlay(image, np.zeros_like(mask), mask)
    untouched = pictures.overlay(image, np.zeros_like(mask), np.zeros_like(mask))
    assert (picture != untouched).any(axis=-1).sum() >= mask.sum()


@pytest.mark.parametrize("blend", ["crop", "hann"])
@pytest.mark.parametrize("batches", [1, 3, 7, 11])
def test_a_prediction_that_was_killed_goes_on_to_the_same_bytes(image, tmp_path, blend, batches):
    asked = []

    def dying(batch):
        asked.append(0)
        if len(asked) > batches:
            raise KeyboardInterrupt
        return bright(batch)

    output = Output("probabilities", "tiff")
    segment(image, tmp_path / "unbroken.tif", predictor(blend=blend), output)
    with pytest.raises(KeyboardInterrupt):
        segment(image, tmp_path / "p.tif", predictor(dying, blend=blend), output)
    assert not (tmp_path / "p.tif").exists()
    segment(image, tmp_path / "p.tif", predictor(blend=blend), output)
    both = [tifffile.imread(tmp_path / name) for name in ("p.tif", "unbroken.tif")]
    assert both[0].tobytes() == both[1].tobytes()


def test_going_on_with_another_image_is_refused(image, tmp_path):
    def dying(batch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment(image, tmp_path / "m.png", predictor(dying), Output("mask", "png"))
    files.write(image, np.zeros((20, 20), np.uint8))
    with pytest.raises(UserError, match="--force"):
        segment(image, tmp_path / "m.png", predictor(), Output("mask", "png"))
    segment(image, tmp_path / "m.png", predictor(), Output("mask", "png"), force=True)
    assert not files.read_values(tmp_path / "m.png").any()


def test_what_is_there_is_left_as_it_is_and_what_a_kill_left_is_cleared_away(image, tmp_path):
    result = tmp_path / "m.png"
    assert segment(image, result, predictor(), Output("mask", "png")).new
    left_over = tmp_path / ".m.png.mask.unfinished"
    left_over.mkdir()
    (left_over / "answer.npy").write_bytes(b"of a kill between the result's rename and the end")
    assert not segment(image, result, predictor(), Output("mask", "png")).new
    assert not left_over.exists()
    with pytest.raises(UserError, match="different settings"):
        segment(image, result, another_model(), Output("mask", "png"))


@needs_zarr
def test_a_zarr_is_replaced_and_another_folder_is_not(image, tmp_path):
    for _ in range(2):
        segment(image, tmp_path / "m.ome.zarr", predictor(), Output("mask", "zarr"), force=True)
    assert {path.name for path in tmp_path.iterdir()} == {"a.tif", "m.ome.zarr", "predictions.json"}
    (tmp_path / "mine.zarr").mkdir()
    with pytest.raises(UserError, match="this is a folder but not a Zarr"):
        segment(image, tmp_path / "mine.zarr", predictor(), Output("mask", "zarr"))


@pytest.mark.parametrize(("what", "to"), [("mask", "tiff"), ("labels", "labelme")])
def test_nothing_is_left_of_an_image_that_is_refused(tmp_path, what, to):
    tifffile.imwrite(tmp_path / "v.tif", np.zeros((9, 40, 36), np.uint8), metadata={"axes": "ZYX"})
    of_images = predictor()
    with pytest.raises(UserError, match=r"takes a 2-D image|cannot hold a volume"):
        segment(tmp_path / "v.tif", tmp_path / "m", of_images, Output(what, to))
    assert [path.name for path in tmp_path.iterdir()] == ["v.tif"]


def test_a_volume_is_answered_plane_by_plane(tmp_path):
    volume = np.random.default_rng(0).integers(0, 255, (9, 40, 36), np.uint8)
    tifffile.imwrite(tmp_path / "v.tif", volume, metadata={"axes": "ZYX"})
    answering = segmenter(bright, {"tile": (8, 16, 16), "overlap": 2}, stride=(4, 4, 4))
    segment(tmp_path / "v.tif", tmp_path / "m.tif", answering, Output("mask", "tiff"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "m.tif"), volume / np.float32(255) >= 0.5)
    for _ in range(2):
        segment(tmp_path / "v.tif", tmp_path / "m.mask.png", answering, Output("mask", "png"))
    assert (tmp_path / "m.mask.ome.tif").read_bytes() == (tmp_path / "m.tif").read_bytes()
    with pytest.raises(UserError, match="choose --to tiff or zarr"):
        segment(tmp_path / "v.tif", tmp_path / "m.json", answering, Output("labels", "labelme"))


def test_more_objects_than_a_png_can_number_become_a_tiff(tmp_path, capsys):
    side = 257  # a dot in each 2 x 2: 66,049 objects
    files.write(
        tmp_path / "a.png",
        np.kron(np.full((side, side), 255, np.uint8), np.eye(1, 4, dtype=np.uint8).reshape(2, 2)),
    )
    output = Output("labels", "png")
    assert segment(tmp_path / "a.png", tmp_path / "a.labels.png", predictor(), output).new
    assert "66,049 objects; writing a.labels.ome.tif instead" in " ".join(capsys.readouterr().out.split())
    found = tifffile.imread(tmp_path / "a.labels.ome.tif")
    assert found[::2, ::2].ravel().tolist() == list(range(1, side**2 + 1))
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a.labels.ome.tif", "predictions.json"}
    assert not segment(tmp_path / "a.png", tmp_path / "a.labels.png", predictor(), output).new
    with pytest.raises(UserError, match="different settings"):
        segment(tmp_path / "a.png", tmp_path / "a.labels.png", another_model(), output)


def test_another_format_goes_on_from_what_was_computed(image, tmp_path, monkeypatch):
    calls = []

    def counted(batch):
        calls.append(0)
        return bright(batch)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(large_image, "write_labels", interrupted)
    with pytest.raises(KeyboardInterrupt):
        segment(image, tmp_path / "a.labels.png", predictor(counted), Output("labels", "png"))
    computed = len(calls)
    output = Output("labels", "tiff")
    segment(image, tmp_path / f"a{output.suffix}", predictor(counted), output)
    assert len(calls) == computed
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "a.labels.ome.tif"), postprocess.labels(expected_mask(image))
    )


def test_another_process_is_kept_out_while_one_predicts(image, tmp_path):
    def beside(batch):
        with pytest.raises(Blocked, match=r"m\.png: process \d+ .* is at work there"):
            segment(image, tmp_path / "m.png", predictor(), Output("mask", "png"), force=True)
        return bright(batch)

    segment(image, tmp_path / "m.png", predictor(beside), Output("mask", "png"))
    np.testing.assert_array_equal(files.read_values(tmp_path / "m.png")[..., 0], expected_mask(image))


@pytest.mark.parametrize(
    ("what", "to", "message"),
    [
        ("maks", "png", "did you mean 'mask'"),
        ("mask", "tif", "did you mean 'tiff'"),
        ("probabilities", "png", "png cannot hold"),
        ("mask", "geojson", "choose --what labels"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(what, to, message):
    with pytest.raises(UserError, match=message):
        Output(what, to)


def test_the_ledger_is_read_by_eyes(image, tmp_path):
    def dying(batch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment(image, tmp_path / "m.png", predictor(dying), Output("mask", "png"))
    ledger = json.loads((tmp_path / ".m.png.mask.unfinished" / "ledger.json").read_text())
    assert ledger["rows"] == 0
    assert ledger["settings"]["model"] == "ab"


@pytest.fixture
def volume(tmp_path):
    """Two channels of blobs that may lie over each other, with voxels that are no cubes."""
    blobs = np.kron(np.random.default_rng(2).random((4, 5, 6, 2)) > 0.6, np.ones((3, 5, 5, 1))) * 255
    pixels = np.moveaxis(blobs, -1, 1).astype(np.uint8)
    sizes = {"PhysicalSizeZ": 2.0, "PhysicalSizeY": 0.5, "PhysicalSizeX": 0.5}
    tifffile.imwrite(tmp_path / "v.ome.tif", pixels, metadata={"axes": "ZCYX", **sizes})
    return tmp_path / "v.ome.tif"


def of_two(forward=np.copy):
    tiles = {"tile": 16}
    classes = ("golgi", "nuclei")
    return segmenter(forward, tiles, channels=2, classes=classes, multilabel=True, stride=(4, 4, 4))


def whole(path):
    with open_store(path, values=True) as store:
        assert store.pixel_size == (2.0, 0.5, 0.5)
        return store.read((slice(None),) * 3)


@pytest.mark.parametrize("to", ["tiff", pytest.param("zarr", marks=needs_zarr)])
@pytest.mark.parametrize("what", ["mask", "labels"])
def test_classes_that_do_not_exclude_each_other_are_channels(volume, tmp_path, what, to, monkeypatch):
    monkeypatch.setattr(large_image, "PIXELS_AT_ONCE", 2000)  # two planes a band
    output = Output(what, to)
    segment(volume, tmp_path / f"v{output.suffix}", of_two(), output)
    with open_store(volume) as store:
        expected = (store.read((slice(None),) * 3) > 127).astype(np.uint8)
    if what == "labels":
        expected = np.stack([postprocess.labels(expected[..., k]) for k in range(2)], axis=-1)
    np.testing.assert_array_equal(whole(tmp_path / f"v{output.suffix}"), expected)


@pytest.mark.parametrize(("what", "to"), [("mask", "png"), ("labels", "labelme")])
def test_what_has_no_channels_is_refused_for_classes_that_need_them(what, to):
    with pytest.raises(
        UserError, match=r"do not exclude each other: golgi, nuclei; choose --to tiff or zarr"
    ):
        Output(what, to).check(of_two().spec)


def test_labels_by_a_landscape_are_those_of_the_whole_also_after_a_kill(image, tmp_path):
    def both(batch):
        return np.concatenate([batch[..., :1] > 0.3, batch[..., :1]], axis=-1).astype(np.float32)

    def dying(batch):
        asked.append(0)
        if len(asked) > 4:
            raise KeyboardInterrupt
        return both(batch)

    asked, arguments = [], {"depth": 0.3, "smallest": 5, "fill": True}
    changes = {"objects": Objects("deep_watershed", arguments)}
    answering = [segmenter(forward, {"blend": "crop"}, **changes) for forward in (dying, both)]
    with pytest.raises(KeyboardInterrupt):
        segment(image, tmp_path / "l.tif", answering[0], Output("labels", "tiff"))
    segment(image, tmp_path / "l.tif", answering[1], Output("labels", "tiff"))
    found = tifffile.imread(tmp_path / "l.tif")
    np.testing.assert_array_equal(found, answering[1].labels(files.read(image)))
    assert found.max() > postprocess.labels((found > 0).astype(np.uint8)).max() > 1

    assert answering[1].mask(files.read(image)).shape == (151, 83)
    segment(image, tmp_path / "p.tif", answering[1], Output("probabilities", "tiff"))
    assert tifffile.imread(tmp_path / "p.tif").shape == (2, 151, 83)
