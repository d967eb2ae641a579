"""A slide's truth, cut where its tiles are."""

import numpy as np
import pytest

from kerasseg.commands.learning_curve.truth import true_samples
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.labelling import tiles
from kerasseg.labelling.clustering import clusters

LABELS = np.arange(23 * 30, dtype=np.uint16).reshape(23, 30)  # every pixel its own object but the first


def folder(root, *, padding="zero"):
    """Cut a slide whose pixels are its truth's, so that each tile shows what its truth must be."""
    files.write(root / "slide.tif", LABELS)
    cut = tiles.crop(
        root / "slide.tif", root, tile=12, margin=2, padding=padding, test_region=(0, 16, 23, 14)
    )
    found = clusters.Clusters(np.arange(len(cut)) % 3, np.zeros(len(cut), np.float32))
    clusters.write(root, [tile.name for tile in cut], found)
    return root


@pytest.mark.parametrize("padding", ["zero", "reflect", "edge"])
def test_the_truth_of_a_tile_is_cut_and_padded_as_the_tile(padding, tmp_path):
    root = folder(tmp_path, padding=padding)
    samples = true_samples(root, root / "slide.tif", ["cell"])
    assert [sample.name for sample in samples] == [tile.name for tile in tiles.read_tiles(root)]
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
