"""A synthetic slide holds the nuclei of its truth, in tissue of uneven density; all of it or nothing."""

import itertools
import json

import cc3d
import numpy as np
import pytest
import tifffile

from kerasseg.errors import UserError
from kerasseg.synthetic import slide
from kerasseg.synthetic.origin import MARKER, is_synthetic
from kerasseg.synthetic.slide import (
    APART,
    EMPTY,
    REACH,
    draw,
    draw_tissue,
    regions,
    scatter,
    stain,
    synthesize,
)

SIZE = (300, 420)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "made/slide"
    synthesize(root, size=SIZE, seed=2)
    return root


@pytest.fixture(scope="module")
def drawn():
    """Draw a slide of some hundred nuclei: image and labels."""
    image, labels = np.zeros((900, 1200), np.uint8), np.zeros((900, 1200), np.int32)
    assert draw(image, labels, 0) == labels.max()
    return image, labels


def contents(root):
    return {path.name: path.read_bytes() for path in root.iterdir()}


def counted(labels, step=100):
    """Count the nuclei in each square of the slide."""
    height, width = labels.shape
    corners = itertools.product(range(0, height, step), range(0, width, step))
    return [len(np.unique(labels[y : y + step, x : x + step])) - 1 for y, x in corners]


def test_the_files_are_those_of_a_composed_slide(made):
    assert sorted(contents(made)) == [
        MARKER,
        "regions.json",
        "slide.ome.tif",
        "truth.labels.ome.tif",
    ]
    assert is_synthetic(made)
    assert "no cell was ever here" in (made / MARKER).read_text()
    image, labels = (tifffile.imread(made / name) for name in ("slide.ome.tif", "truth.labels.ome.tif"))
    assert (image.shape, image.dtype, labels.shape, labels.dtype) == (SIZE, np.uint8, SIZE, np.int32)
    told = json.loads((made / "regions.json").read_text())
    assert told["slide"] == {"width": 420, "height": 300, "dtype": "uint8", "seed": 2}
    assert told["nuclei"] == labels.max() > 0
    assert told["regions"] == {
        "train": {"y": 0, "x": 0, "height": 300, "width": 294},
        "test": {"y": 0, "x": 294, "height": 300, "width": 126},
    }


def test_every_nucleus_is_one_piece_with_a_number_of_its_own(drawn):
    labels = drawn[1]
    assert np.unique(labels).tolist() == list(range(labels.max() + 1))
    assert cc3d.connected_components(labels, connectivity=8).max() == labels.max()
    areas = np.bincount(labels.ravel())[1:]
    assert 120 < np.median(areas) < 250
    assert areas.max() < np.pi * 11 * 7.5 * 1.2


def test_nuclei_shine_where_the_truth_has_them(drawn):
    image, labels = drawn
    inside = np.bincount(labels.ravel(), image.ravel())[1:] / np.bincount(labels.ravel())[1:]
    outside = image[labels == 0]
    assert (inside > outside.mean() + 2 * outside.std()).mean() > 0.95
    assert inside.max() > 4 * inside.min()  # some far less than others
    assert (image == 255).mean() < 1e-3


def test_density_is_uneven_and_much_is_empty(drawn):
    nuclei = np.array(counted(drawn[1]))
    assert (nuclei == 0).mean() > 0.25
    assert nuclei.max() > 3 * np.median(nuclei[nuclei > 0])


def test_no_nucleus_lies_in_both_regions(drawn):
    labels = drawn[1]
    border = regions(labels.shape)["test"]["x"]
    train, test = (set(np.unique(part)) - {0} for part in (labels[:, :border], labels[:, border:]))
    assert train
    assert test
    assert not train & test


def test_light_is_uneven():
    y, x = np.arange(100)[:, None], np.arange(200)
    lit = slide._beam(y, x, (100, 200), np.array([0.5, 0.25]))
    assert np.unravel_index(lit.argmax(), lit.shape) == (50, 50)
    assert lit[0, 199] == lit.min() == pytest.approx(1 - slide.EDGE, abs=0.01)


def test_nuclei_keep_apart_and_in_their_tissue():
    rng = np.random.default_rng(3)
    grown = draw_tissue((600, 800), rng)
    nuclei = scatter(grown, 560, rng)
    y, x = nuclei.centres.T
    distances = np.hypot(y[:, None] - y, x[:, None] - x)[np.triu_indices(len(y), 1)]
    assert APART < distances.min() < 1.3 * APART
    assert grown(y, x).min() >= EMPTY
    assert np.abs(x - 560).min() > REACH
    assert (np.diff(y) >= 0).all()


def test_bands_are_parts_of_the_whole():
    rng = np.random.default_rng(3)
    nuclei = scatter(draw_tissue((300, 400), rng), 280, rng)
    whole = stain(nuclei, slice(0, 300), 400, 5)
    for rows in (slice(0, 37), slice(37, 38), slice(38, 290), slice(290, 300)):
        for part, all_of_it in zip(stain(nuclei, rows, 400, 5), whole, strict=True):
            np.testing.assert_array_equal(part, all_of_it[rows])


def test_a_seed_writes_the_same_bytes_and_another_other_ones(made, tmp_path):
    synthesize(tmp_path / "again", size=SIZE, seed=2)
    synthesize(tmp_path / "other", size=SIZE, seed=3)
    assert contents(tmp_path / "again") == contents(made)
    other = contents(tmp_path / "other")
    assert other["truth.labels.ome.tif"] != (made / "truth.labels.ome.tif").read_bytes()


def test_nothing_half_written_stays(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(slide, "write_tiff", full)
    with pytest.raises(UserError, match="No space left"):
        synthesize(tmp_path / "made", size=SIZE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"size": (63, 900)}, {"size": (900,)}, {"seed": -1}])
def test_what_makes_no_sense_is_refused_and_nothing_written(wrong, tmp_path):
    with pytest.raises(UserError, match=f"{next(iter(wrong))}: .*expected"):
        synthesize(tmp_path / "made", **wrong)
    assert list(tmp_path.iterdir()) == []
