"""Samples by the name of their source, and what takes their place where a recipe allows it."""

import numpy as np
import pytest
import tifffile

from kerasseg.data.collect import channels, collect
from kerasseg.data.sample import Annotation, MissingData, Sample
from kerasseg.data.synthetic import is_synthetic, synthesize
from kerasseg.errors import Fallback, UserError
from kerasseg.images import files
from kerasseg.images.volume import Volume


@pytest.fixture
def few(monkeypatch):
    """Make the synthetic set small."""
    monkeypatch.setattr(
        "kerasseg.data.collect.synthesize", lambda root: synthesize(root, images=2, size=(48, 64))
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


def test_only_kaggle_s_layout_is_made_up(tmp_path, few):
    with pytest.raises(MissingData):
        collect("coco", {"root": tmp_path / "nowhere"}, ["cell"], if_missing="synthesize")


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
