"""`kerasseg measure` and what `predict` makes of its labels: tables and overlays, against scikit-image."""

import csv

import numpy as np
import pytest
import tifffile
from skimage.measure import label, regionprops_table
from specs import segmenter
from typer.testing import CliRunner

from kerasseg.annotations.label_images import write_labels
from kerasseg.cli import app
from kerasseg.commands.predict import predict_by
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.postprocess import measurement

LABELS = np.zeros((20, 30), np.int32)
LABELS[2:7, 3:9] = 1
LABELS[10:20, 4:8] = 5
LABELS[8:12, 15:25] = 2
IMAGE = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)


def typed(*words):
    return CliRunner().invoke(app, ["measure", *map(str, words)], prog_name="kerasseg", env={"COLUMNS": "80"})


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b"):
        files.write(tmp_path / "images" / f"{name}.png", IMAGE)
    (tmp_path / "results").mkdir()
    write_labels(tmp_path / "results" / "a.labels.png", LABELS)
    write_labels(tmp_path / "results" / "b.labels.png", LABELS * (LABELS == 2))
    files.write(tmp_path / "results" / "a.overlay.png", IMAGE)  # which are no labels
    return tmp_path


def test_a_folder_of_labels_and_one_of_images(folder):
    shown = typed(folder / "results", folder / "images", folder / "cells.csv")
    assert shown.exit_code == 0, shown.output
    assert "cells.images.csv: 4 objects in 2 images" in " ".join(shown.stdout.split())
    table = rows(folder / "cells.csv")
    assert [(row["image"], row["label"]) for row in table] == [("a", "1"), ("a", "2"), ("a", "5"), ("b", "2")]
    judge = regionprops_table(LABELS, IMAGE, ("area", "intensity_mean", "solidity"))
    for name, values in judge.items():
        column = "area_px2" if name == "area" else name
        assert [float(row[column]) for row in table[:3]] == pytest.approx(values.tolist()), name
    assert [(row["image"], row["count"], row["area_share"]) for row in rows(folder / "cells.images.csv")] == [
        ("a", "3", f"{110 / 600:.10g}"),
        ("b", "1", f"{40 / 600:.10g}"),
    ]


def test_what_touches_the_border_is_left_out_if_so_typed(folder):
    assert typed(folder / "results/a.labels.png", folder / "cells.csv", "--exclude-border").exit_code == 0
    assert [row["label"] for row in rows(folder / "cells.csv")] == ["1", "2"]


def test_the_size_of_a_pixel_is_typed_or_said_by_labels_or_image(tmp_path):
    tifffile.imwrite(tmp_path / "labels.tif", LABELS)
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "image.ome.tif", IMAGE[..., 0], metadata={"axes": "YX", **size})
    assert typed(tmp_path / "labels.tif", tmp_path / "image.ome.tif", tmp_path / "said.csv").exit_code == 0
    assert [row["area_um2"] for row in rows(tmp_path / "said.csv")] == ["7.5", "10", "10"]
    assert {row["image"] for row in rows(tmp_path / "said.csv")} == {"image"}
    shown = typed(tmp_path / "labels.tif", tmp_path / "typed.csv", "--pixel-size", "2,2")
    assert shown.exit_code == 0
    assert rows(tmp_path / "typed.csv")[0]["perimeter_um"] == "36"
    assert typed(tmp_path / "labels.tif", tmp_path / "unknown.csv").stdout.count("how large a pixel is") == 1


def test_images_of_which_nobody_says_how_large_a_pixel_is_are_counted_in_one_note(folder):
    shown = " ".join(typed(folder / "results", folder / "images", folder / "cells.csv").stdout.split())
    assert shown.count("how large a pixel is") == 1
    assert "a.labels.png and 1 more of 2 images: they do not say how large a pixel is" in shown


def test_bands_are_the_whole(tmp_path, monkeypatch):
    labels = label(np.random.default_rng(0).random((3, 40, 50)) > 0.7, connectivity=1).astype(np.int32)
    tifffile.imwrite(tmp_path / "labels.tif", labels, metadata={"axes": "ZYX"})
    assert typed(tmp_path / "labels.tif", tmp_path / "whole.csv", "--pixel-size", "2,1,1").exit_code == 0
    monkeypatch.setattr(measurement, "BAND", 1)
    assert typed(tmp_path / "labels.tif", tmp_path / "bands.csv", "--pixel-size", "2,1,1").exit_code == 0
    assert (tmp_path / "whole.csv").read_bytes() == (tmp_path / "bands.csv").read_bytes()
    assert {"volume_um3", "surface_um2"} <= rows(tmp_path / "whole.csv")[0].keys()


def test_channels_of_labels_are_classes(tmp_path):
    both = np.stack([LABELS, LABELS * (LABELS == 2)])
    tifffile.imwrite(tmp_path / "l.ome.tif", both, metadata={"axes": "CYX"}, photometric="minisblack")
    shown = typed(tmp_path / "l.ome.tif", tmp_path / "cells.csv")
    assert shown.exit_code == 2
    assert "name by --classes what each channel of labels holds" in " ".join(shown.stderr.split())
    how = ("--classes", "cell", "--classes", "rod")
    assert typed(tmp_path / "l.ome.tif", tmp_path / "cells.csv", *how).exit_code == 0
    assert [(row["class"], row["label"]) for row in rows(tmp_path / "cells.csv")] == [
        *(("cell", "1"), ("cell", "2"), ("cell", "5"), ("rod", "2"))
    ]
    assert [(row["class"], row["count"]) for row in rows(tmp_path / "cells.images.csv")] == [
        ("cell", "3"),
        ("rod", "1"),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("results", "cells.xlsx"), "cells.xlsx: there is no such file or folder"),
        (("results", "images", "cells.xlsx"), "expected LABELS [IMAGES] [OUT]"),
        (("results", "cells.csv", "--pixel-size", "1"), "--pixel-size 1.0: expected Y,X in micrometres"),
        (("images/a.png", "cells.csv"), "expected 1 channel; name by --classes"),
        (
            ("results", "cells.csv", "--pixel-size", "nan,1"),
            "--pixel-size nan,1.0: expected Y,X in",
        ),
        (
            ("results", "cells.csv", "--pixel-size", "1,inf"),
            "--pixel-size 1.0,inf: expected Y,X in",
        ),
        (("nothing", "cells.csv"), "there is no such file or folder"),
        (("lossy.jpg", "cells.csv"), "lossy.jpg: the file was compressed with loss"),
        (("lossy.tif", "cells.csv"), "lossy.tif: the file was compressed with loss"),
        (("results/a.labels.png", "other.png", "cells.csv"), "the labels are 20 x 30, and their image"),
        (("results", "others", "cells.csv"), "b.labels.png: there is no image"),
        (("results", "there.csv"), "it exists; replace it by --overwrite"),
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_is_written(folder, monkeypatch, words, message):
    monkeypatch.chdir(folder)
    files.write(folder / "other.png", IMAGE[:10])
    files.write(folder / "others" / "a.png", IMAGE)
    files.write(folder / "others" / "c.png", IMAGE)
    (folder / "there.csv").touch()
    files.write(folder / "lossy.jpg", IMAGE)
    tifffile.imwrite(folder / "lossy.tif", IMAGE, compression="jpeg")
    before = sorted(folder.rglob("*"))
    shown = typed(*words)
    assert shown.exit_code == 2, shown.output
    assert message in " ".join(shown.stderr.split())
    assert sorted(folder.rglob("*")) == before


def bright(batch):
    return batch[..., :1].copy()


def two_classes(batch):
    """Dark is background, grey the first class, bright the second."""
    light = batch[..., 0]
    return np.stack([light < 0.3, (light >= 0.3) & (light < 0.7), light >= 0.7], axis=-1).astype(np.float32)


@pytest.fixture
def slides(tmp_path):
    image = np.zeros((60, 70), np.uint8)
    image[5:20, 5:20], image[30:50, 10:30], image[10:20, 40:60] = 255, 128, 255
    files.write(tmp_path / "slides" / "a.png", image)
    files.write(tmp_path / "slides" / "b.png", image * (image < 200))
    return tmp_path / "slides"


def test_predictions_are_measured_and_drawn(slides, tmp_path):
    out, table = tmp_path / "out", tmp_path / "cells.csv"
    predict_by(segmenter(bright), slides, out, table=table, overlay=True)
    assert [(row["image"], row["class"], row["area_px2"]) for row in rows(table)] == [
        *(("a", "cell", "225"), ("a", "cell", "200"), ("a", "cell", "400"), ("b", "cell", "400"))
    ]
    assert [row["count"] for row in rows(tmp_path / "cells.images.csv")] == ["3", "1"]
    picture = files.read(out / "a.overlay.png")
    assert picture.shape == (540, 630, 3)  # enlarged nine times
    outlined = (picture == (255, 176, 0)).all(axis=-1)
    assert outlined[45:180, 45:180].any(axis=0).all()
    assert not outlined[:40].any()
    drawn = (out / "a.overlay.png").stat().st_mtime_ns
    table.unlink()
    predict_by(segmenter(bright), slides, out, table=table, overlay=True)  # all is there
    assert len(rows(table)) == 4
    assert (out / "a.overlay.png").stat().st_mtime_ns == drawn


def test_results_beside_their_images_are_no_images(slides):
    for _ in range(2):
        predict_by(segmenter(bright), slides, slides, overlay=True)
    names = [path.name for path in sorted(slides.iterdir())]
    assert names == [
        *("a.labels.png", "a.overlay.png", "a.png", "b.labels.png", "b.overlay.png", "b.png"),
        "predictions.json",
    ]


def test_which_id_has_which_class_lies_beside_the_labels(slides, tmp_path):
    model = segmenter(two_classes, classes=("cell", "rod"), activation="softmax")
    predict_by(model, slides, tmp_path / "out", what="labels", table=tmp_path / "cells.csv")
    beside = rows(tmp_path / "out" / "a.labels.objects.csv")
    assert beside == [
        {"label": "1", "class": "rod"},
        {"label": "2", "class": "rod"},
        {"label": "3", "class": "cell"},
    ]
    assert [(row["class"], row["area_px2"]) for row in rows(tmp_path / "cells.csv")] == [
        *(("rod", "225"), ("rod", "200"), ("cell", "400"), ("cell", "400"))
    ]
    images = [(row["image"], row["class"], row["count"]) for row in rows(tmp_path / "cells.images.csv")]
    assert images == [("a", "cell", "1"), ("a", "rod", "2"), ("b", "cell", "1"), ("b", "rod", "0")]
    assert typed(tmp_path / "out", slides, tmp_path / "again.csv").exit_code == 0
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "cells.csv").read_bytes()


def test_a_broken_image_does_not_keep_the_others_from_the_table(slides, tmp_path):
    (slides / "c.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"c\.png"):
        predict_by(segmenter(bright), slides, tmp_path / "out", table=tmp_path / "cells.csv")
    assert {row["image"] for row in rows(tmp_path / "cells.csv")} == {"a", "b"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"what": "mask", "table": "cells.csv"}, "--table is of objects, and --what mask has none"),
        ({"what": "probabilities", "overlay": True}, "--overlay is of objects, and --what probabilities"),
        ({"to": "geojson", "overlay": True}, "geojson holds outlines; choose --to png, tiff or zarr"),
        ({"table": "cells.xlsx"}, r"expected the name of a table, which ends in \.csv or \.parquet"),
    ],
)
def test_what_is_no_object_is_neither_measured_nor_drawn(slides, tmp_path, options, message):
    if "table" in options:
        options = options | {"table": tmp_path / options["table"]}
    with pytest.raises(UserError, match=message):
        predict_by(segmenter(bright), slides, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_volume_has_a_table_and_no_overlay(tmp_path, capsys):
    volume = np.zeros((5, 40, 40), np.uint8)
    volume[1:4, 5:15, 5:15] = 255
    tifffile.imwrite(tmp_path / "v.tif", volume, metadata={"axes": "ZYX"})
    tiles = {"tile": (4, 32, 32), "overlap": 0}
    model = segmenter(bright, tiles, stride=(1, 4, 4))
    predict_by(model, tmp_path / "v.tif", tmp_path / "out", table=tmp_path / "cells.csv", overlay=True)
    assert [row["volume_px3"] for row in rows(tmp_path / "cells.csv")] == ["300"]
    assert "it is a volume, of which no overlay is drawn" in " ".join(capsys.readouterr().out.split())


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_an_object_with_a_pixel_that_is_no_number_has_no_intensities(tmp_path):
    labels, image = np.array([[1, 1, 0, 2]], np.uint8), np.array([[np.nan, 3, 1, 4]], np.float32)
    files.write(tmp_path / "a.labels.tif", labels)
    tifffile.imwrite(tmp_path / "a.tif", image)
    shown = typed(tmp_path / "a.labels.tif", tmp_path / "a.tif", tmp_path / "cells.csv")
    assert shown.exit_code == 0, shown.output
    assert [row["intensity_max-0"] for row in rows(tmp_path / "cells.csv")] == ["", "4"]
