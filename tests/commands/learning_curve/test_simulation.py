"""A reviewer against masks that a reader can count, and a slide's truth, cut where its tiles are."""

import numpy as np
import pytest

from kerasseg.commands.learning_curve.simulation import accepts, true_samples
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.labelling import clustering
from kerasseg.labelling.folder import read_tiles
from kerasseg.labelling.tiles import crop

TRUE = np.uint8([[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]])
EMPTY = np.zeros_like(TRUE)


def missing(pixels: int) -> np.ndarray:
    """Leave out the first foreground pixels of the truth: IoU is (5 - pixels) / 5."""
    mask = TRUE.copy()
    mask[0, :pixels] = 0
    return mask


@pytest.mark.parametrize(("pixels", "accepted"), [(0, True), (1, True), (2, False)])
def test_four_fifths_are_just_enough(pixels, accepted):
    assert accepts(missing(pixels), TRUE, 0.8) is accepted


def test_how_much_is_enough_can_be_said():
    assert accepts(missing(2), TRUE, 0.6)
    assert not accepts(missing(1), TRUE, 0.81)


def test_nothing_where_nothing_is_agrees_and_anything_there_does_not():
    assert accepts(EMPTY, EMPTY, 0.8)
    assert not accepts(TRUE, EMPTY, 0.8)
    assert not accepts(EMPTY, TRUE, 0.8)


def test_all_classes_are_foreground():
    assert accepts(TRUE * np.uint8(2), TRUE, 0.8)


def test_ignored_pixels_are_not_looked_at():
    ignored = np.where(missing(3) != TRUE, 255, TRUE).astype(np.uint8)
    assert accepts(missing(3), ignored, 0.8)
    assert not accepts(EMPTY, ignored, 0.8)


LABELS = np.arange(23 * 30, dtype=np.uint16).reshape(23, 30)  # every pixel its own object but the first


def folder(root, *, padding="zero"):
    """Cut a slide whose pixels are its truth's, so that each tile shows what its truth must be."""
    files.write(root / "slide.tif", LABELS)
    window = {"tile": 12, "margin": 2, "padding": padding, "region": None, "test_region": (0, 16, 23, 14)}
    cut = crop(root / "slide.tif", root, **window)
    found = clustering.Clusters(np.arange(len(cut)) % 3, np.zeros(len(cut), np.float32))
    clustering.write(root, [tile.name for tile in cut], found)
    return root


@pytest.mark.parametrize("padding", ["zero", "reflect", "edge"])
def test_the_truth_of_a_tile_is_cut_and_padded_as_the_tile(padding, tmp_path):
    root = folder(tmp_path, padding=padding)
    samples = true_samples(root, root / "slide.tif", ["cell"])
    assert [sample.name for sample in samples] == [tile.name for tile in read_tiles(root)]
    for sample in samples:
        annotation, image = sample.annotate(), sample.read()[..., 0]
        np.testing.assert_array_equal(annotation.labels, image)
        np.testing.assert_array_equal(annotation.mask, image > 0)
        assert annotation.mask.shape == sample.size == (12, 12)


def test_part_and_cluster_are_attributes(tmp_path):
    root = folder(tmp_path)
    told = {each.name: each.attributes for each in true_samples(root, root / "slide.tif", ["cell"])}
    assert told["000-000"] == {"part": "train", "cluster": "0"}
    assert told["000-001"] == {"part": "", "cluster": "1"}  # sees both sides of column 16
    assert told["000-003"] == {"part": "test", "cluster": "0"}


def test_several_classes_are_read_as_such(tmp_path):
    root = folder(tmp_path)
    files.write(root / "classes.png", (LABELS % 3).astype(np.uint8))
    sample = true_samples(root, root / "classes.png", ["nucleus", "golgi"])[0]
    np.testing.assert_array_equal(sample.annotate().mask[2:, 2:], LABELS[:10, :10] % 3)
    with pytest.raises(UserError, match="not a class"):
        true_samples(root, root / "slide.tif", ["nucleus", "golgi"])[0].annotate()


@pytest.mark.parametrize("shape", [(23, 29), (30, 23), (23, 30, 3)])
def test_the_truth_of_another_slide_is_refused(shape, tmp_path):
    root = folder(tmp_path)
    files.write(root / "other.png", np.zeros(shape, np.uint8))
    with pytest.raises(UserError, match=r"other\.png.*the slide is 23 x 30"):
        true_samples(root, root / "other.png", ["cell"])
