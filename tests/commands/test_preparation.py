"""From a recipe of volumes to batches, without TensorFlow."""

import numpy as np
import pytest
import tifffile

from kerasseg.commands import preparation
from kerasseg.commands.check import check
from kerasseg.errors import UserError
from kerasseg.recipe import Recipe


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array, ome=True, photometric="minisblack", metadata={"axes": "ZCYX"})


@pytest.fixture
def golgi(tmp_path):
    """Six volumes of noise with masks of two classes that overlap, and two masks that belong to none."""
    rng = np.random.default_rng(0)
    for at in range(6):
        write(tmp_path / f"real/images/{at}.tif", rng.integers(0, 255, (9, 2, 20, 24), np.uint8))
        write(tmp_path / f"real/masks/{at}.tif", rng.integers(0, 2, (9, 2, 20, 24), np.uint8) * 255)
    for at in range(2):
        mask = np.zeros((9, 2, 30, 30), np.uint8)
        mask[:, 1] = 255
        write(tmp_path / f"drawn/masks/{at}.tif", mask)
    return tmp_path


def recipe(golgi, *, engine="supervised", **changes):
    source = {"volumes": {"root": str(golgi / "real"), "mask_type": "channels"}}
    data = {"source": source, "classes": ["golgi", "nuclei"], "channels": None, "multilabel": True}
    data |= {"patch": {"size": [9, 20, 20]}, "augment": ["HorizontalFlip"]}
    model = {"unet": {"encoder": "plain"}}
    train = {"batch_size": 2, "engine": engine}
    told = {"name": "golgi", "data": data | changes, "model": model, "train": train}
    return Recipe.model_validate(told)


def test_batches_of_volumes(golgi):
    told = recipe(golgi)
    parts = preparation.parts(told)
    channels = preparation.model_channels(told, parts)
    assert channels == 2
    training, validation = preparation.streams(told, parts, channels)
    images, targets = training.batch(0)
    assert images.shape == targets.shape == (2, 32, 32, 32, 2)
    assert set(np.unique(targets)) == {0, 1, 255}
    assert validation.batch(0)[1].shape[1:] == (32, 32, 32, 2)


def test_unpaired_batches_have_masks_of_other_volumes(golgi):
    source = {"volumes": {"root": str(golgi / "drawn"), "images": None, "mask_type": "channels"}}
    told = recipe(golgi, unpaired=source)
    parts = preparation.parts(told)
    both, validation = preparation.unpaired(told, parts, 2)
    images, targets = both.batch(3)
    assert np.array_equal(images, preparation.streams(told, parts, 2)[0].batch(3)[0])
    assert not (targets[..., 0] == 1).any()
    assert not (targets[..., 1] == 0).any()
    assert len(validation) == 1


def test_without_a_source_of_their_own_unpaired_masks_are_the_samples_own(golgi):
    told = recipe(golgi)
    both, _ = preparation.unpaired(told, preparation.parts(told), 2)
    names = [both.names(at) for at in range(8)]
    assert {name for each in names for name in each[:2]} == {name for each in names for name in each[2:]}
    assert any(each[:2] != each[2:] for each in names)


def test_what_a_run_of_volumes_takes_is_said(golgi, capsys):
    check(recipe(golgi))
    told = capsys.readouterr().out
    assert "6 volumes of 9x20x24" in told
    assert "at 16x32x32, 1 of validation" in told


def test_a_check_of_unpaired_masks_looks_for_them_and_makes_none(golgi, capsys):
    masks = {"volumes": {"root": str(golgi / "nowhere"), "images": None, "mask_type": "channels"}}
    with pytest.raises(UserError, match="nowhere"):
        check(recipe(golgi, engine="cycle", unpaired=masks))
    capsys.readouterr()
    check(recipe(golgi, engine="cycle", unpaired=masks, if_missing="synthesize"))
    assert "nowhere is missing: a run would make SYNTHETIC" in " ".join(capsys.readouterr().out.split())
    assert not (golgi / "nowhere").exists()
