"""From a recipe of volumes to batches, without TensorFlow."""

import numpy as np
import pytest
import tifffile

from kerasseg.commands import preparation
from kerasseg.commands.check import check
from kerasseg.errors import UserError
from kerasseg.recipe import Recipe
from kerasseg.recipe.recipe import DeepWatershed


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


@pytest.fixture
def cells(tmp_path):
    """Six images with masks in which a part is ignored, and a recipe of them."""
    rng = np.random.default_rng(0)
    for at in range(6):
        image = rng.integers(0, 200 - 10 * at, (20, 24), np.uint8)
        mask = rng.choice(np.array([0, 1, 255], np.uint8), (20, 24), p=[0.5, 0.4, 0.1])
        for kind, pixels in {"images": image, "masks": mask}.items():
            (tmp_path / "cells" / kind).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(tmp_path / "cells" / kind / f"{at}.tif", pixels)

    def told(**changes):
        source = {"images_masks": {"root": str(tmp_path / "cells")}}
        data = {"source": source, "classes": ["cell"], "channels": 1}
        return Recipe.model_validate(
            {"name": "cells", "data": data | changes, "model": {"unet": {"encoder": "plain"}}}
        )

    return told


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


def test_images_are_matched_to_all_that_is_learnt_from_but_what_is_ignored(cells):
    told = cells(match={"leave_out": [0]})
    parts = preparation.parts(told)
    match = preparation.matching(told, parts.train)
    learnt = np.concatenate([s.read()[s.annotate().mask != 255].ravel() for s in parts.train])
    values, numbers = np.unique(learnt[learnt > 0], return_counts=True)
    assert (match.dtype, match.leave_out) == ("uint8", (0,))
    assert match.intensities == (tuple(values),)
    assert match.counts == (tuple(numbers),)
    training, _ = preparation.streams(told, parts, 1, match=match)
    image = training.pairs[0][0]
    np.testing.assert_array_equal(image, match.image(parts.train[0].read()))
    counts = preparation.histograms(parts.train, match)
    assert counts["before"].sum() == counts["after"].sum() > counts["reference"].sum()


def test_images_are_matched_to_a_stack_of_slices(cells, tmp_path):
    stack = np.random.default_rng(9).normal(20_000, 4000, (3, 12, 12)).astype(np.uint16)
    (tmp_path / "slices").mkdir()
    for number, plane in enumerate(stack):
        tifffile.imwrite(tmp_path / "slices" / f"z{number}.tif", plane)
    told = cells(match={"reference": str(tmp_path / "slices")})
    match = preparation.matching(told, preparation.parts(told).train)
    assert match.dtype == "uint16"
    assert match.intensities == (tuple(np.unique(stack)),)


@pytest.mark.parametrize(
    ("match", "message"),
    [
        ({"reference": "nowhere.tif"}, r"data\.match\.reference: .*nowhere\.tif"),
        (
            {"reference": "black.tif", "leave_out": [0]},
            r"data\.match: without \[0\] .* no pixel is left",
        ),
        ({"reference": "float.tif"}, r"data\.match\.reference: it holds float32; expected uint8 or uint16"),
    ],
)
def test_a_histogram_that_cannot_be_counted_is_refused(cells, tmp_path, monkeypatch, match, message):
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("black.tif", np.zeros((4, 4), np.uint8))
    tifffile.imwrite("float.tif", np.zeros((4, 4), np.float32))
    told = cells(match=match)
    with pytest.raises(UserError, match=message):
        check(told)


def test_training_images_of_two_types_have_no_histogram(cells, tmp_path):
    told = cells(match={})
    for path in sorted((tmp_path / "cells/images").iterdir())[::2]:
        tifffile.imwrite(path, tifffile.imread(path).astype(np.uint16))
    with pytest.raises(UserError, match="are uint16 and uint8, which are not counted together"):
        preparation.matching(told, preparation.samples(told))


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


@pytest.mark.parametrize(
    ("key_points", "guided", "message"),
    [
        (
            {"points": 401},
            {},
            r"key_points.points: 401 points of images of 20 x 20.*at most their 400",
        ),
        ({"points": 400}, {"ssim": "windowed"}, None),
        (
            {"points": 400},
            {"ssim": "windowed", "side": 8},
            r"400 points of images of 8 x 8(.|\n)*11 x 11",
        ),
        ({"points": "5%"}, {"ssim": "global", "side": 8}, None),
    ],
)
def test_key_points_fit_into_what_the_network_sees(tmp_path, key_points, guided, message):
    rng = np.random.default_rng(0)
    for number in range(6):
        tifffile.imwrite(tmp_path / f"{number}.tif", rng.integers(0, 255, (20, 20), np.uint8))
    side = guided.pop("side", 20)
    source = {"whole_images": {"root": str(tmp_path)}}
    data = {"source": source, "classes": ["point"], "channels": 1, "patch": {"size": side}}
    train = {"engine": {"guided": guided}, "batch_size": 2}
    recipe = Recipe(name="points", data=data, model="unet", key_points=key_points, train=train)
    if message is None:
        training, _ = preparation.streams(recipe, preparation.parts(recipe), 1, 4)
        assert training.shape == (side, side)
    else:
        with pytest.raises(UserError, match=message):
            preparation.streams(recipe, preparation.parts(recipe), 1, 4)


def test_a_landscape_needs_objects_that_are_told_apart(cells):
    recipe = cells().model_copy(update={"instances": DeepWatershed()})
    with pytest.raises(UserError, match=r"annotations of data\.source images_masks do not; take watershed"):
        check(recipe)
