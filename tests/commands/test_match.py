"""`kerasseg data match`: stacks of files, whole and slice by slice, and what is refused."""

import numpy as np
import pytest
import tifffile
from skimage.exposure import match_histograms
from typer.testing import CliRunner

from kerasseg.cli import app
from kerasseg.images.stores import store
from kerasseg.images.stores.store import open_store

RANDOM = np.random.default_rng(3)
STACK = np.stack([RANDOM.normal(mean, 10, (20, 30)).clip(1, 255) for mean in (60, 90, 120)]).astype(np.uint8)
REFERENCE = RANDOM.normal(150, 20, (2, 25, 25)).clip(1, 255).astype(np.uint8)


def typed(*words):
    words = ["data", "match", *map(str, words)]
    return CliRunner().invoke(app, words, prog_name="kerasseg", env={"COLUMNS": "80"})


def written(path, image, **metadata):
    axes = "ZYX"[-image.ndim :]
    tifffile.imwrite(path, image, ome=True, photometric="minisblack", metadata={"axes": axes, **metadata})
    return path


@pytest.fixture
def files(tmp_path):
    size = {"PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2, "PhysicalSizeZ": 0.5}
    return written(tmp_path / "stack.tif", STACK, **size), written(tmp_path / "reference.tif", REFERENCE)


def read(path):
    with open_store(path) as opened:
        return opened[(slice(None),) * (len(opened.shape) - 1)][..., 0]


@pytest.mark.parametrize("name", ["matched.ome.tif", "matched.zarr"])
def test_a_stack_is_matched_as_scikit_image_would_and_keeps_its_type(files, tmp_path, monkeypatch, name):
    monkeypatch.setattr(store, "BAND_BYTES", 600)  # read in many bands
    shown = typed(*files, tmp_path / name)
    assert shown.exit_code == 0, shown.output
    found = read(tmp_path / name)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.rint(match_histograms(STACK, REFERENCE)))
    with open_store(tmp_path / name) as opened:
        assert opened.pixel_size == pytest.approx((0.5, 0.2, 0.2))
    assert b"<svg" in (tmp_path / "matched.histograms.svg").read_bytes()


def test_each_slice_is_matched_by_itself_if_asked(files, tmp_path):
    assert typed(*files, tmp_path / "matched.tif", "--per-slice").exit_code == 0
    expected = [np.rint(match_histograms(plane.ravel(), REFERENCE.ravel())) for plane in STACK]
    np.testing.assert_array_equal(read(tmp_path / "matched.tif"), np.reshape(expected, STACK.shape))


def test_sixteen_bits(tmp_path):
    image, reference = (each.astype(np.uint16) * 201 for each in (STACK, REFERENCE))
    paths = written(tmp_path / "stack.tif", image), written(tmp_path / "reference.tif", reference)
    assert typed(*paths, tmp_path / "matched.tif").exit_code == 0
    np.testing.assert_array_equal(read(tmp_path / "matched.tif"), np.rint(match_histograms(image, reference)))


def test_frames_and_ignored_pixels_are_not_counted(files, tmp_path):
    framed, ignored = STACK.copy(), np.zeros_like(STACK)
    framed[:, :5], framed[:, 5:8], ignored[:, 5:8] = 0, 255, 255
    written(tmp_path / "framed.tif", framed)
    written(tmp_path / "ignored.tif", ignored)
    how = ("--leave-out", 0, "--mask", tmp_path / "ignored.tif")
    assert typed(tmp_path / "framed.tif", files[1], tmp_path / "matched.tif", *how).exit_code == 0
    found = read(tmp_path / "matched.tif")
    expected = np.rint(match_histograms(STACK[:, 8:].ravel(), REFERENCE.ravel()))
    np.testing.assert_array_equal(found[:, 8:].ravel(), expected)
    assert (found[:, :5] == 0).all()


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (STACK.astype(np.float32), (), "it holds float32; expected uint8 or uint16"),
        (STACK.astype(np.uint16), (), "uint16 of 1 channels cannot be matched to"),
        (STACK, ("--leave-out", "300"), "--leave-out 300: expected an intensity from 0 to 255"),
        (STACK, ("--mask", "reference.tif"), "a mask of 2 x 25 x 25 pixels was given for"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_written(
    files, tmp_path, monkeypatch, image, options, message
):
    monkeypatch.chdir(tmp_path)
    written(files[0], image)
    shown = typed(*files, tmp_path / "matched.tif", *options)
    assert shown.exit_code == 2
    assert message in " ".join(shown.stderr.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reference.tif", "stack.tif"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compression": "jpeg"}, "the file was compressed with loss"),
        ({}, "it has 3 channels; expected one number for each pixel"),
    ],
)
def test_a_mask_that_has_no_sure_numbers_is_refused(tmp_path, options, message):
    field = written(tmp_path / "field.tif", STACK[0])
    colours = np.zeros((20, 30, 3), np.uint8)
    tifffile.imwrite(tmp_path / "mask.tif", colours, photometric="rgb", **options)
    shown = typed(field, field, tmp_path / "out.tif", "--mask", tmp_path / "mask.tif")
    assert shown.exit_code == 2, shown.output
    assert message in " ".join(shown.stderr.split())
    assert not list(tmp_path.glob("out*"))


def test_what_is_there_is_replaced_only_if_asked(files, tmp_path):
    assert typed(*files, tmp_path / "matched.tif").exit_code == 0
    assert "it exists; replace it by --overwrite" in typed(*files, tmp_path / "matched.tif").stderr
    assert typed(*files, tmp_path / "matched.tif", "--overwrite").exit_code == 0


def test_a_real_stack_is_matched_to_another(shared_data, tmp_path):
    stack = shared_data / "em" / "celegans_em_stack" / "z00-12.tif"
    reference = shared_data / "em" / "vnc_sstem" / "image"
    if not stack.exists() or not reference.is_dir():
        pytest.skip(f"the stacks are not here: {stack}, {reference}")
    shown = typed(stack, reference, tmp_path / "matched.ome.tif", "--axes", "ZYX")
    assert shown.exit_code == 0, shown.output
    image, other = tifffile.imread(stack), np.stack([picture(path) for path in sorted(reference.iterdir())])
    np.testing.assert_array_equal(read(tmp_path / "matched.ome.tif"), np.rint(match_histograms(image, other)))


def picture(path):
    from kerasseg.images.files import read as read_image

    return read_image(path)[..., 0]
