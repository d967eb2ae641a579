"""Synthetic volumes as files: what lies where, what it says of itself, and all of it or nothing."""

import csv

import numpy as np
import pytest
import tifffile

from kerasseg.errors import UserError
from kerasseg.synthetic import golgi
from kerasseg.synthetic.golgi import COLUMNS, synthesize
from kerasseg.synthetic.golgi_masks import GOLGI, NUCLEUS, SPACING, Scene, draw_scene
from kerasseg.synthetic.origin import MARKER, is_synthetic

SIZE = (16, 48, 56)
FEW = {"volumes": 2, "size": SIZE, "pairs": (3, 3)}


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def contents(root):
    return {name: (root / name).read_bytes() for name in files(root)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "made/golgi"
    synthesize(root, seed=2, **FEW)
    return root


def test_the_layout(made):
    volumes = [f"{folder}/golgi000{at}.tif" for folder in ("images", "labels", "masks") for at in (0, 1)]
    tables = [f"pairs/golgi000{at}.csv" for at in (0, 1)]
    assert files(made) == sorted(["README.txt", MARKER, *volumes, *tables])


@pytest.mark.parametrize(
    ("folder", "names", "dtype"),
    [
        ("images", ["golgi", "nuclei"], np.uint8),
        ("masks", ["golgi", "nuclei", "pair"], np.uint8),
        ("labels", ["golgi", "nuclei"], np.uint16),
    ],
)
def test_volumes_say_their_axes_channels_and_voxel_size(made, folder, names, dtype):
    with tifffile.TiffFile(made / folder / "golgi0000.tif") as file:
        series, pixels = file.series[0], tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (series.axes, series.shape, series.dtype) == ("ZCYX", (16, len(names), 48, 56), dtype)
    assert [channel["Name"] for channel in pixels["Channel"]] == names
    assert tuple(pixels[f"PhysicalSize{axis}"] for axis in "ZYX") == SPACING


def test_masks_labels_and_pairs_tell_of_the_same_scene(made):
    known = draw_scene(SIZE, np.random.default_rng((2, 0, 1)), pairs=(3, 3))
    labels, masks = (tifffile.imread(made / folder / "golgi0001.tif") for folder in ("labels", "masks"))
    assert np.array_equal(np.moveaxis(labels, 1, -1), known.labels)
    assert np.array_equal(np.moveaxis(masks, 1, -1), known.masks())
    with (made / "pairs/golgi0001.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert [int(row[0]) for row in rows] == list(np.flatnonzero(known.complete) + 1)
    nucleus_then_golgi = known.centres[known.complete][:, [NUCLEUS, GOLGI]].reshape(len(rows), 6)
    assert np.allclose([[float(length) for length in row[1:]] for row in rows], nucleus_then_golgi, atol=6e-4)


def test_their_origin_stays_known(made):
    assert is_synthetic(made)
    assert "no cell was ever here" in (made / MARKER).read_text()
    assert "No cell was ever here" in (made / "README.txt").read_text()


def test_a_seed_writes_the_same_bytes_and_another_other_ones(made, tmp_path):
    synthesize(tmp_path / "again", seed=2, **FEW)
    synthesize(tmp_path / "other", seed=3, **FEW)
    first, again, other = (contents(root) for root in (made, tmp_path / "again", tmp_path / "other"))
    assert first == again
    assert first["masks/golgi0000.tif"] != other["masks/golgi0000.tif"]
    assert first["masks/golgi0000.tif"] != first["masks/golgi0001.tif"]


def test_masks_alone_are_of_other_pairs(made, tmp_path):
    synthesize(tmp_path / "masks", seed=2, masks_only=True, **FEW)
    alone = contents(tmp_path / "masks")
    assert list(alone) == [name for name in files(made) if not name.startswith("images")]
    assert alone["masks/golgi0000.tif"] != (made / "masks/golgi0000.tif").read_bytes()


def test_an_empty_folder_is_filled_and_any_other_left_alone(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    synthesize(".", **FEW)
    assert is_synthetic(tmp_path / "empty")
    with pytest.raises(UserError, match="never replace"):
        synthesize(tmp_path / "empty", **FEW)


def test_nothing_half_written_stays(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kerasseg.synthetic.golgi.write_tiff", full)
    with pytest.raises(UserError, match="No space left"):
        synthesize(tmp_path / "made", **FEW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"volumes": 0}, {"seed": -1}, {"size": (4, 0, 4)}, {"pairs": (9, 3)}])
def test_what_makes_no_sense_is_refused_and_nothing_written(wrong, tmp_path):
    with pytest.raises(UserError, match=f"{next(iter(wrong))}: .*expected"):
        synthesize(tmp_path / "made", **{**FEW, **wrong})
    assert list(tmp_path.iterdir()) == []


def photographed(seed=0, size=(24, 64, 64), **how):
    """Take a picture of eight pairs."""
    rng = np.random.default_rng(seed)
    there = draw_scene(size, rng, pairs=(8, 8), **how)
    return there, golgi.fluorescence(there, rng)


def test_stains_are_bright_in_their_own_channel():
    there, image = photographed()
    ground = ~(there.labels > 0).any(axis=-1)
    for part, other in ((GOLGI, NUCLEUS), (NUCLEUS, GOLGI)):
        own = image[there.labels[..., part] > 0].mean(axis=0)
        assert own[part] > 2 * image[ground].mean(axis=0)[part]
        assert own[other] < own[part]


def test_cells_differ_in_brightness():
    there, image = photographed(1)
    numbers = np.unique(there.labels[..., NUCLEUS])[1:]
    bright = [image[there.labels[..., NUCLEUS] == number, NUCLEUS].mean() for number in numbers]
    assert max(bright) > 1.5 * min(bright)


def test_the_microscope_blurs_along_z_most_and_keeps_light():
    point = np.zeros((31, 31, 31), np.float32)
    point[15, 15, 15] = 1
    blurred = golgi._blur(point, golgi.FOCUS, (0.25, 0.25, 0.25))
    assert blurred.sum() == pytest.approx(1, abs=1e-4)
    spread = [_deviation(blurred, axis) * 0.25 for axis in range(3)]
    assert spread == pytest.approx([golgi.FOCUS[0], *[golgi.FOCUS[1]] * 2], rel=0.05)


def _deviation(volume, axis):
    profile = np.moveaxis(volume, axis, 0).sum(axis=(1, 2))
    at = np.arange(len(profile))
    return np.sqrt((profile * (at - (profile * at).sum()) ** 2).sum())


def test_depth_and_the_edge_of_the_field_are_darker():
    beam = golgi._beam((40, 64, 64), SPACING, np.random.default_rng(0))
    assert beam.max() <= 1
    assert np.allclose(beam[-1] / beam[0], np.exp(-39 * 0.5 / golgi.DEPTH))
    assert beam[0].min() / beam[0].max() == pytest.approx(1 - golgi.EDGE, rel=0.01)


def test_an_empty_scene_is_dark_and_noisy():
    labels = np.zeros((6, 40, 40, 2), np.uint16)
    image = golgi.fluorescence(Scene(labels, np.empty((0, 2, 3))), np.random.default_rng(0))
    assert golgi.DARK / 2 < np.median(image) < 4 * golgi.DARK
    assert (image.std(axis=(0, 1, 2)) > 1).all()


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 9, 20), (7, 1, 3)])
def test_the_smallest_volumes_are_photographed(size):
    assert photographed(size=size)[1].shape == (*size, 2)
