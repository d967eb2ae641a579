"""A composed slide holds the very pixels and nuclei of its fields, where it says."""

import argparse
import json

import compose_slide
import numpy as np
import pytest
import tifffile

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.labelling.tiles import crop

SIZES = [(24, 32), (32, 24), (20, 20), (20, 20), (40, 40), (24, 24)]


def write_field(root, name, image, nuclei):
    files.write(root / name / "images" / f"{name}.png", image)
    for number, nucleus in enumerate(nuclei):
        files.write(root / name / "masks" / f"{number}.png", nucleus.astype(np.uint8) * 255)


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    """Dark fields with a nucleus inside, one at the border and one in two pieces; and a bright field."""
    root = tmp_path_factory.mktemp("fields")
    for number, size in enumerate(SIZES):
        nuclei = np.zeros((3, *size), bool)
        nuclei[0, 8:12, 8:12] = nuclei[1, 0:4, 3:9] = True
        nuclei[2, 14:16, 6:8] = nuclei[2, 14:16, 12:14] = True
        noise = np.random.default_rng(number).integers(0, 60, size, np.uint8)
        write_field(root, f"dark{number}", noise, nuclei[: 3 - number % 2])
    write_field(root, "bright", np.full((20, 20), 200, np.uint8), np.zeros((1, 20, 20), bool))
    return root


@pytest.fixture
def made(fields, tmp_path):
    """Make a slide of 300 x 200, and give image, labels and what was told."""

    def make(folder="slide", **changes):
        given = {"data": fields, "width": 300, "height": 200, "dtype": "uint8", "background": "noise"}
        compose_slide.write(tmp_path / folder, argparse.Namespace(**given | {"seed": 0} | changes))
        told = json.loads((tmp_path / folder / "regions.json").read_text())
        images = (tmp_path / folder / name for name in ("slide.ome.tif", "truth.labels.ome.tif"))
        return *map(tifffile.imread, images), told

    return make


def upright(patch, pixels):
    """Cut a patch out of the slide and undo how it was laid."""
    cut = pixels[patch["y"] : patch["y"] + patch["height"], patch["x"] : patch["x"] + patch["width"]]
    turned = np.rot90(cut, -patch["turns"])
    return turned[:, ::-1] if patch["flipped"] else turned


def test_patches_are_their_fields_pixel_by_pixel(made, fields):
    image, labels, told = made()
    assert len({patch["field"] for patch in told["patches"]}) > 3
    rest = np.ones(image.shape, bool)
    for patch in told["patches"]:
        field = fields / patch["field"]
        np.testing.assert_array_equal(upright(patch, image), files.read(next(field.glob("images/*")))[..., 0])
        assert upright(patch, rest).all()  # nothing lies on top of another
        upright(patch, rest)[...] = False
        first, last = patch["numbers"]
        own = upright(patch, labels)
        for number, path in enumerate(sorted(field.glob("masks/*")), start=first):
            np.testing.assert_array_equal(own == number, files.read(path)[..., 0] > 0)
        assert last - first + 1 == len(list(field.glob("masks/*")))
    assert not labels[rest].any()
    assert rest.mean() > 0.2  # it is empty for the most part


def test_every_nucleus_has_one_number_and_those_not_whole_are_named(made):
    _, labels, told = made()
    numbers = [patch["numbers"] for patch in told["patches"]]
    assert [first for first, _ in numbers] == [1, *(last + 1 for _, last in numbers[:-1])]
    assert np.unique(labels).tolist() == list(range(numbers[-1][1] + 1))
    assert labels.dtype == np.int32
    for patch in told["patches"]:
        first, last = patch["numbers"]
        assert patch["cut_by_the_field"] == [first + 1]
        assert patch["in_pieces"] == list(range(first + 2, last + 1))


def test_no_field_and_no_pixel_is_in_training_and_test(made):
    told = made()[2]
    of = {name: [p for p in told["patches"] if p["region"] == name] for name in ("train", "test")}
    fields = {name: {patch["field"] for patch in patches} for name, patches in of.items()}
    assert fields["train"]
    assert fields["test"]
    assert not fields["train"] & fields["test"]
    assert "bright" not in fields["train"] | fields["test"]
    for name, patches in of.items():
        region = told["regions"][name]
        for patch in patches:
            assert region["x"] <= patch["x"] < patch["x"] + patch["width"] <= region["x"] + region["width"]


def test_tiles_for_training_and_for_testing_show_other_fields(made, tmp_path):
    told = made()[2]
    train, test = (tuple(told["regions"][name].values()) for name in ("train", "test"))
    window = {"tile": 32, "margin": 4, "padding": "zero", "region": None, "test_region": test}
    tiles = crop(tmp_path / "slide/slide.ome.tif", tmp_path / "root", **window)
    assert train[1] + train[3] == test[1]
    for tile in tiles:
        left, right = max(0, tile.x - 4), min(300, tile.x + 28)
        assert tile.part == ("train" if right <= test[1] else "test" if left >= test[1] else "")
    assert {tile.part for tile in tiles} == {"train", "test", ""}


def test_a_seed_makes_the_same_slide_again_and_another_a_different_one(made):
    image, labels, told = made("a")
    again = made("b")
    np.testing.assert_array_equal(again[0], image)
    np.testing.assert_array_equal(again[1], labels)
    assert again[2] == told
    assert made("c", seed=1)[2]["patches"] != told["patches"]


def test_16_bits_and_exact_zeros(made):
    image, labels, told = made()
    wide, same, _ = made("wide", dtype="uint16", background="zero")
    np.testing.assert_array_equal(same, labels)
    inside = np.zeros(image.shape, bool)
    for patch in told["patches"]:
        upright(patch, inside)[...] = True
    np.testing.assert_array_equal(wide, np.where(inside, image, 0).astype(np.uint16) * 257)


def test_bright_fields_alone_make_no_slide(tmp_path):
    nucleus = np.zeros((1, 20, 20), bool)
    write_field(tmp_path / "bright", "tissue", np.full((20, 20), 200, np.uint8), nucleus)
    with pytest.raises(UserError, match="0 fields are darker than 64"):
        compose_slide.dark_fields(tmp_path / "bright")
