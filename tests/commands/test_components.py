"""`kerasseg components`: what is typed, what is written, and what is refused."""

import csv

import numpy as np
import pytest
import tifffile
import zarr
from typer.testing import CliRunner

from kerasseg.cli import app
from kerasseg.images import files
from kerasseg.images.stores.store import open_store

MASK = np.zeros((3, 4, 6), np.uint8)
MASK[:, :2, :2] = 1
MASK[0, 3, 5] = 1
MASK[1:, 3, 2:5] = 2
MASK[2, 0, 5] = 255


def typed(*words):
    return CliRunner().invoke(
        app, ["components", *map(str, words)], prog_name="kerasseg", env={"COLUMNS": "80"}
    )


@pytest.fixture
def mask(tmp_path):
    path = tmp_path / "mask.tif"
    size = {"PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2, "PhysicalSizeZ": 0.5}
    tifffile.imwrite(path, MASK, ome=True, photometric="minisblack", metadata={"axes": "ZYX", **size})
    return path


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_many_classes_are_counted_together(tmp_path):
    files.write(tmp_path / "mask.png", np.arange(40, dtype=np.uint8).reshape(5, 8))
    shown = typed(tmp_path / "mask.png", tmp_path / "labels.tif")
    assert "39 objects (of 39 classes)" in " ".join(shown.stdout.split())


@pytest.mark.parametrize("name", ["labels.ome.tif", "labels.tif", "labels.ome.zarr", "labels.zarr"])
def test_labels_and_their_table(mask, tmp_path, name):
    shown = typed(mask, tmp_path / name, "--classes", "cell", "--classes", "rod")
    assert shown.exit_code == 0, shown.output
    assert "3 objects (2 of cell, 1 of rod)" in " ".join(shown.stdout.split())
    with open_store(tmp_path / name, values=True) as store:
        labels = store[tuple(slice(None) for _ in range(3))][..., 0]
        assert store.pixel_size == pytest.approx((0.5, 0.2, 0.2))
    assert labels.dtype == np.int32
    assert labels[0].tolist() == [[1, 1, 0, 0, 0, 0]] * 2 + [[0] * 6, [0, 0, 0, 0, 0, 3]]
    assert labels[2].tolist() == [[1, 1, 0, 0, 0, 0]] * 2 + [[0] * 6, [0, 0, 2, 2, 2, 0]]
    table = rows(tmp_path / "labels.objects.csv")
    assert [(row["label"], row["class"], row["num_pixels"]) for row in table] == [
        ("1", "cell", "12"),
        ("2", "rod", "6"),
        ("3", "cell", "1"),
    ]
    assert float(table[0]["volume_um3"]) == pytest.approx(12 * 0.5 * 0.2 * 0.2)
    assert float(table[0]["surface_um2"]) > 0
    assert [table[1][f"bbox-{number}"] for number in range(6)] == ["1", "3", "2", "3", "4", "5"]
    assert [float(table[1][f"centroid-{axis}_um"]) for axis in range(3)] == pytest.approx([0.75, 0.6, 0.6])


def test_what_is_kept_is_typed_by_name_or_id(mask, tmp_path):
    out = tmp_path / "labels.tif"
    names = ("--classes", "cell", "--classes", "rod")
    for options, sizes in (
        (("--min-size", "2"), ["12", "6"]),
        (("--min-size", "7", "--min-size", "cell=1"), ["12", "1"]),
        (("--largest", "cell=1"), ["12", "6"]),
        (("--largest", "1=1", "--min-size", "rod=7"), ["12"]),
        (("--largest", "1"), ["12"]),
        (("--only", "rod"), ["6"]),
        (("--min-size", "rod=4", "--in-2d"), ["12", "1"]),
    ):
        assert typed(mask, out, *names, *options, "--overwrite").exit_code == 0
        assert [row["num_pixels"] for row in rows(tmp_path / "labels.objects.csv")] == sizes, options


def test_an_image_has_areas_and_perimeters(tmp_path):
    tifffile.imwrite(tmp_path / "mask.tif", np.eye(4, dtype=np.uint16))
    how = ("--pixel-size", "0.5,0.5", "--connectivity", 4)
    assert typed(tmp_path / "mask.tif", tmp_path / "labels.tif", *how).exit_code == 0
    table = rows(tmp_path / "labels.objects.csv")
    assert [(row["num_pixels"], row["area_um2"]) for row in table] == [("1", "0.25")] * 4
    assert tifffile.imread(tmp_path / "labels.tif").tolist() == np.diag([1, 2, 3, 4]).tolist()


def test_without_a_pixel_size_the_volume_is_in_voxels(tmp_path):
    tifffile.imwrite(tmp_path / "mask.tif", MASK, metadata={"axes": "ZYX"})
    shown = typed(tmp_path / "mask.tif", tmp_path / "labels.tif")
    assert "it does not say how large a pixel is" in " ".join(shown.stdout.split())
    assert [row["volume_px3"] for row in rows(tmp_path / "labels.objects.csv")] == ["12", "6", "1"]


def test_grey_values_part_what_touches(mask, tmp_path):
    grey = np.full(MASK.shape, 100, np.uint8)
    grey[1:, :2] = 120
    tifffile.imwrite(tmp_path / "grey.tif", grey, metadata={"axes": "ZYX"})
    how = ("--grey", tmp_path / "grey.tif", "--delta", 10)
    assert typed(mask, tmp_path / "labels.tif", *how).exit_code == 0
    table = rows(tmp_path / "labels.objects.csv")
    assert [row["num_pixels"] for row in table] == ["8", "6", "4", "1"]
    assert [row["intensity_mean-0"] for row in table] == ["120", "100", "100", "100"]


def test_bands_are_the_whole(mask, tmp_path, monkeypatch):
    assert typed(mask, tmp_path / "whole.tif").exit_code == 0
    monkeypatch.setattr("kerasseg.commands.components.BAND", 1)
    assert typed(mask, tmp_path / "bands.tif").exit_code == 0
    for end in (".tif", ".objects.csv"):
        assert (tmp_path / f"whole{end}").read_bytes() == (tmp_path / f"bands{end}").read_bytes()


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (("--delta", "10"), ["--delta 10: class ids have no differences"]),
        (("--delta", "-1", "--grey", "grey.tif"), ["--delta -1: expected a difference of grey values"]),
        (("--grey", "grey.tif"), ["--grey grey.tif: say by --delta"]),
        (("--connectivity", "8"), ["has 3 axes; choose one of 6, 18, 26"]),
        (("--pixel-size", "1,2"), ["--pixel-size 1.0,2.0: expected Z,Y,X in micrometres"]),
        (("--pixel-size", "a"), ["--pixel-size a: expected Z,Y,X in micrometres"]),
        (("--min-size", "cell=9"), ["--min-size cell: expected a class id from 1 to 254"]),
        (("--classes", "cell"), ["it holds 2; expected class ids from 0 to 1, or 255"]),
        (
            ("--classes", "cell", "--only", "rot", "--largest", "x"),
            ["--only: unknown class 'rot': choose one of cell", "--largest x: expected CLASS=N or N"],
        ),
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_is_written(mask, tmp_path, options, messages):
    shown = typed(mask, tmp_path / "labels.tif", *options)
    assert shown.exit_code == 2
    for message in messages:
        assert message in " ".join(shown.stderr.split())
    assert [path.name for path in tmp_path.iterdir()] == ["mask.tif"]


def test_a_mask_and_an_image_of_two_shapes_are_refused(mask, tmp_path):
    tifffile.imwrite(tmp_path / "grey.tif", MASK[:, 1:], metadata={"axes": "ZYX"})
    shown = typed(mask, tmp_path / "labels.tif", "--grey", tmp_path / "grey.tif", "--delta", 1)
    assert "ZYXC are 3 x 3 x 6 x 1; expected one channel of 3 x 4 x 6" in " ".join(shown.stderr.split())


def test_a_mask_compressed_with_loss_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "mask.tif", np.zeros((16, 16), np.uint8), compression="jpeg")
    shown = typed(tmp_path / "mask.tif", tmp_path / "labels.tif")
    assert shown.exit_code == 2
    assert "mask.tif: the file was compressed with loss" in " ".join(shown.stderr.split())
    assert not (tmp_path / "labels.tif").exists()


def test_what_is_there_is_replaced_only_if_asked(mask, tmp_path):
    for name in ("labels.tif", "labels.ome.zarr"):
        assert typed(mask, tmp_path / name, "--overwrite").exit_code == 0
        shown = typed(mask, tmp_path / name)
        assert shown.exit_code == 2
        assert "it exists; replace it by --overwrite" in shown.stderr
    assert typed(mask, tmp_path / "labels.ome.zarr", "--only", "2", "--overwrite").exit_code == 0
    assert zarr.open(tmp_path / "labels.ome.zarr")["0"][:].max() == 1


def test_another_ending_is_refused(mask, tmp_path):
    shown = typed(mask, tmp_path / "labels.png")
    assert "expected a name that ends in one of .ome.tif" in shown.stderr


def test_a_mask_of_0_and_255_is_no_mask_of_classes(tmp_path):
    tifffile.imwrite(tmp_path / "mask.tif", np.uint8(255) * (MASK == 1))
    assert "name them by --axes" in typed(tmp_path / "mask.tif", tmp_path / "labels.tif").stderr
    shown = typed(tmp_path / "mask.tif", tmp_path / "labels.tif", "--axes", "ZYX")
    assert shown.exit_code == 2
    assert "it holds only 0 and 255" in " ".join(shown.stderr.split())


def test_a_mask_without_objects_has_an_empty_table(tmp_path):
    tifffile.imwrite(tmp_path / "mask.tif", np.zeros((3, 4, 5), np.uint8))
    shown = typed(tmp_path / "mask.tif", tmp_path / "labels.tif", "--axes", "ZYX")
    assert (shown.exit_code, rows(tmp_path / "labels.objects.csv")) == (0, [])


@pytest.mark.parametrize("connectivity", [6, 26])
def test_mitochondria_of_a_folder_of_real_slices(shared_data, tmp_path, connectivity):
    folder = shared_data / "em" / "vnc_sstem" / "mask"
    if not folder.is_dir():
        pytest.skip(f"the slices are not here: {folder}")
    how = ("--only", 2, "--connectivity", connectivity)
    assert typed(folder, tmp_path / "labels.ome.tif", *how).exit_code == 0
    assert len(rows(tmp_path / "labels.objects.csv")) == 34
