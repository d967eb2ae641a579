"""Samples by the name of their source, and what takes their place where a recipe allows it."""

import numpy as np
import pytest
import tifffile

from kerasseg.data.collect import MAKERS, channels, collect
from kerasseg.data.sample import Annotation, MissingData, Sample
from kerasseg.errors import Fallback, UserError
from kerasseg.images import files
from kerasseg.images.stores.volume import Volume
from kerasseg.synthetic.cells import synthesize
from kerasseg.synthetic.origin import is_synthetic


@pytest.fixture
def few(monkeypatch):
    """Make the synthetic set small."""
    monkeypatch.setitem(
        MAKERS, "sartorius", lambda told, seed: synthesize(told["root"], images=2, size=(48, 64), seed=seed)
    )


def test_missing_data_are_an_error_unless_the_recipe_says_otherwise(tmp_path):
    with pytest.raises(MissingData, match="nowhere"):
        collect("sartorius", {"root": tmp_path / "nowhere"}, ["cell"])


def test_synthetic_data_are_said_in_the_open_and_known_again_later(tmp_path, few):
    arguments = {"root": tmp_path / "made"}
    with pytest.warns(Fallback, match="SYNTHETIC"):
        made = collect("sartorius", arguments, ["cell"], if_missing="synthesize")
    assert is_synthetic(tmp_path / "made")
    with pytest.warns(Fallback, match="SYNTHETIC"):
        again = collect("sartorius", arguments, ["cell"])
    assert [sample.name for sample in made] == [sample.name for sample in again]


def test_layouts_that_nothing_writes_are_not_made_up(tmp_path, few):
    with pytest.raises(MissingData):
        collect("coco", {"root": tmp_path / "nowhere"}, ["cell"], if_missing="synthesize")


def test_volumes_are_made_up_too(tmp_path, monkeypatch):
    def make(told, seed):
        root = told["root"]
        for kind in ("images", "masks"):
            (root / kind).mkdir(parents=True)
            tifffile.imwrite(
                root / kind / "a.tif", np.full((3, 4, 5), seed, np.uint8), metadata={"axes": "ZYX"}
            )

    monkeypatch.setitem(MAKERS, "volumes", make)
    told = {"root": tmp_path / "made", "axes": "ZYX", "mask_axes": "ZYX"}
    (sample,) = collect("volumes", told, ["golgi"], if_missing="synthesize", seed=1)
    assert (sample.annotate().mask == 1).all()


def channelled(tmp_path, mask):
    mask = np.array(mask, np.uint8)
    for kind, array in (("images", mask[0]), ("masks", mask)):
        (tmp_path / kind).mkdir()
        axes = "CZYX"[-array.ndim :]
        tifffile.imwrite(
            tmp_path / kind / "a.tif", array, photometric="minisblack", ome=True, metadata={"axes": axes}
        )
    return {"root": tmp_path, "meaning": "channels"}


def test_masks_have_the_form_that_the_recipe_says(tmp_path):
    told = channelled(tmp_path, [[[[1, 0]], [[0, 0]]], [[[0, 0]], [[0, 9]]]])
    both = ["golgi", "nuclei"]
    assert collect("volumes", told, both)[0].annotate().mask.tolist() == [[[1, 0]], [[0, 2]]]
    free = collect("volumes", told, both, exclusive=False)[0].annotate().mask
    assert free.tolist() == [[[[1, 0], [0, 0]]], [[[0, 0], [0, 1]]]]


def test_ids_become_channels_where_classes_do_not_exclude_each_other(tmp_path):
    ids = np.array([[0, 1], [2, 255]], np.uint8)
    for kind in ("shown", "drawn"):
        files.write(tmp_path / kind / "a.tif", ids)
    told = {"root": tmp_path, "images": "shown", "masks": "drawn"}
    (sample,) = collect("images_masks", told, ["golgi", "nuclei"], exclusive=False)
    assert sample.annotate().mask.tolist() == [[[0, 0], [1, 0]], [[0, 1], [255, 255]]]


def written(path, count):
    files.write(path, np.zeros((4, 4, count), np.uint8))
    return Sample(path.stem, path, (4, 4), lambda: Annotation(np.zeros((4, 4), np.uint8)))


def test_channels_are_those_that_all_images_have(tmp_path):
    grey, other, colour = (written(tmp_path / f"{n}.png", n) for n in (1, 3, 4))
    assert channels([other]) == 3
    with pytest.raises(UserError, match=r"1 in .*1\.png, 4 in .*4\.png"):
        channels([grey, colour])


def test_channels_of_volumes_are_those_of_their_headers(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 2, 4, 4), np.uint8), metadata={"axes": "ZCYX"})
    volume = Volume(tmp_path / "a.tif")
    sample = Sample("a", volume, volume.header().size, lambda: Annotation(np.zeros((3, 4, 4), np.uint8)))
    assert channels([sample]) == 2
    assert sample.read().shape == (3, 4, 4, 2)
    with pytest.raises(UserError, match=r"1 in .*1\.png, 2 in .*a\.tif"):
        channels([written(tmp_path / "1.png", 1), sample])
