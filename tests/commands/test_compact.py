"""`kerasseg compact` and `kerasseg expand`: what is typed, what is written, and what is refused."""

import csv
import io
import json

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from kerasseg.cli import app
from kerasseg.compact import keypoints_file
from kerasseg.compact.rebuilding import rebuild
from kerasseg.images import files
from kerasseg.images.stores.store import open_store

Y, X = np.mgrid[:60, :90]
GREY = np.rint(120 + 60 * np.sin(X / 6) * np.cos(Y / 8) + 40 * (np.hypot(Y - 30, X - 40) < 9)).astype(
    np.uint8
)
LINE = np.where(abs(Y - X) < 2, 255, 0).astype(np.uint8)


def typed(*words):
    return CliRunner().invoke(app, [*map(str, words)], prog_name="kerasseg", env={"COLUMNS": "80"})


def plain(text):
    return " ".join(text.split())


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    files.write(folder / "grey.png", GREY)
    tifffile.imwrite(folder / "line.tif", LINE)
    volume = np.stack([GREY, GREY[::-1], GREY.T[:60].repeat(2, axis=1)[:, :90]]).astype(np.uint16) * 100
    size = {"axes": "ZYX", "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2, "PhysicalSizeZ": 0.5}
    tifffile.imwrite(folder / "volume.ome.tif", volume, photometric="minisblack", metadata=size)
    files.write(folder / "colour.png", np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1))
    return folder


def test_a_folder_is_kept_and_built_again(images, tmp_path):
    shown = typed("compact", images, tmp_path / "points")
    assert shown.exit_code == 0, shown.output
    assert "grey.png: hybrid: the image has grey levels" in plain(shown.stdout)
    assert "line.tif: pursuit: the image is nearly black and white" in plain(shown.stdout)
    assert "wrote 4 of 4 results" in plain(shown.stdout)
    shown = typed("expand", tmp_path / "points", tmp_path / "again")
    assert shown.exit_code == 0, shown.output
    for name in ("grey", "line", "volume", "colour"):
        points = keypoints_file.read(tmp_path / "points" / f"{name}.kpt")
        assert points.share <= 0.03 or name == "line"
        suffix = ".ome.tif" if name == "volume" else ".png"
        with open_store(tmp_path / "again" / f"{name}{suffix}") as store:
            whole = store[(slice(None),) * (len(store.shape) - 1)]
            assert np.array_equal(whole if points.has_channels else whole[..., 0], rebuild(points))
            assert name != "volume" or store.pixel_size == pytest.approx((0.5, 0.2, 0.2))
    error = np.abs(files.read(tmp_path / "again" / "grey.png")[..., 0].astype(int) - GREY).mean()
    assert error < 8


def test_what_is_there_is_left_and_what_differs_is_refused(images, tmp_path):
    out = tmp_path / "points"
    assert typed("compact", images / "line.tif", out).exit_code == 0
    before = (out / "line.kpt").stat().st_mtime_ns
    shown = typed("compact", images / "line.tif", out)
    assert (shown.exit_code, (out / "line.kpt").stat().st_mtime_ns) == (0, before)
    assert "wrote 0 of 1 result" in plain(shown.stdout)
    assert ", 1 existed already" in plain(shown.stdout)
    shown = typed("compact", images / "line.tif", out, "--points", "5")
    assert shown.exit_code == 2
    assert "it exists already, made with different settings" in plain(shown.stderr)
    assert typed("compact", images / "line.tif", out, "--points", "5", "--force").exit_code == 0
    assert len(keypoints_file.read(out / "line.kpt")) == 5
    for _ in range(2):
        shown = typed("expand", out, tmp_path / "again")
        assert shown.exit_code == 0
    assert "wrote 0 of 1 result" in plain(shown.stdout)
    assert typed("expand", out, tmp_path / "again", "--region", "0:5,0:5").exit_code == 2


def test_a_broken_image_does_not_stop_the_others(images, tmp_path):
    (images / "broken.tif").write_bytes((images / "line.tif").read_bytes()[:900])
    shown = typed("compact", images, tmp_path / "points", "--method", "hybrid")
    assert shown.exit_code == 3
    assert "broken.tif" in shown.stderr
    assert "wrote 4 of 5 results" in plain(shown.stdout)
    whole = (tmp_path / "points" / "grey.kpt").read_bytes()
    (tmp_path / "points" / "grey.kpt").write_bytes(whole[:-1] + b"?")
    shown = typed("expand", tmp_path / "points", tmp_path / "again")
    assert shown.exit_code == 3
    assert "grey.kpt: this file of key points is damaged" in plain(shown.stderr)
    assert "wrote 3 of 4 results" in plain(shown.stdout)
    assert not (tmp_path / "again" / "grey.png").exists()


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        ("colour.png", ("--method", "pursuit"), "has 3 channels, and pursuit takes grey images"),
        ("grey.png", ("--points", "0"), "--points: a budget of '0'; expected a number of points"),
        ("grey.png", ("--points", "6000"), "at most the 5400 pixels"),
        ("grey.png", ("--points", "many"), "a budget of 'many'"),
        ("grey.png", ("--points", "-1%"), "--points: a budget of '-1%'"),
        ("grey.png", ("--ssim", "1.5"), "--ssim: an SSIM of 1.5"),
        ("grey.png", ("--ssim", "0.9", "--points", "3"), "expected one of them"),
        ("grey.png", ("--method", "persuit"), "did you mean 'pursuit'?"),
        ("grey.png", ("--method", "network"), "--method network and --run RUN go together"),
        ("grey.png", ("--run", "runs/a/1"), "--method network and --run RUN go together"),
        ("grey.png", ("--method", "network", "--run", "none"), "none: "),
        ("tiny.png", (), "larger than the image of 2 x 3; choose bitmap"),
        ("none.png", ("--points", "0", "--ssim", "2"), "an SSIM of 2.0"),
        ("float.tif", (), "the image is read as float32; expected uint8 or uint16"),
        ("empty.png", (), "the file is empty"),
        ("none.png", (), "there is no such file"),
        ("text.png", (), "text.png"),
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_is_written(images, tmp_path, image, options, message):
    files.write(images / "tiny.png", GREY[:2, :3])
    tifffile.imwrite(images / "float.tif", GREY.astype(np.float32))
    (images / "empty.png").touch()
    (images / "text.png").write_text("no image")
    shown = typed("compact", images / image, tmp_path / "points", *options)
    assert shown.exit_code == 2, shown.output
    assert message in plain(shown.stderr)
    assert "Traceback" not in shown.output
    assert not list(tmp_path.glob("points/*"))


@pytest.mark.parametrize(
    ("file", "options", "message"),
    [
        ("grey.kpt", ("--region", "0:70,0:5"), "has no Y 0:70; expected a range within 0:60"),
        ("grey.kpt", ("--region", "5:5,0:5"), "has no Y 5:5"),
        ("grey.kpt", ("--region", "1,2"), "expected Y0:Y1,X0:X1, such as 0:60,0:90"),
        ("volume.kpt", ("--region", "0:5,0:5"), "expected Z0:Z1,Y0:Y1,X0:X1"),
        ("volume.kpt", ("--to", "png"), "PNG cannot hold ZYX"),
        ("grey.kpt", ("--to", "gif"), "choose one of png, tiff"),
        ("none.kpt", (), "there is no such file"),
        ("../images", (), "there is no file of key points here; expected .kpt"),
        ("../images/grey.png", (), "does not begin as a file of key points does"),
    ],
)
def test_what_cannot_be_expanded_is_said(images, tmp_path, file, options, message):
    typed("compact", images, tmp_path / "points")
    shown = typed("expand", tmp_path / "points" / file, tmp_path / "again", *options)
    assert shown.exit_code == 2, shown.output
    assert message in plain(shown.stderr)


@pytest.mark.parametrize("name", ["grey", "volume"])
def test_a_region_is_that_of_the_whole(images, tmp_path, name):
    typed("compact", images, tmp_path / "points")
    planes = (slice(1, 3),) if name == "volume" else ()
    region = (*planes, slice(10, 41), slice(85, 90))
    text = ",".join(f"{part.start}:{part.stop}" for part in region)
    file = tmp_path / "points" / f"{name}.kpt"
    assert typed("expand", file, tmp_path / "part", "--region", text, "--to", "tiff").exit_code == 0
    part = tifffile.imread(tmp_path / "part" / f"{name}.ome.tif")
    assert np.array_equal(part, rebuild(keypoints_file.read(file))[region])


def test_points_are_listed_as_a_table_and_as_geojson(images, tmp_path):
    typed("compact", images, tmp_path / "points", "--method", "grey", "--points", "7")
    shown = typed("compact", "--show", tmp_path / "points" / "volume.kpt")
    assert shown.exit_code == 0, shown.output
    rows = list(csv.DictReader(io.StringIO(shown.stdout)))
    points = keypoints_file.read(tmp_path / "points" / "volume.kpt")
    assert [[int(row[axis]) for axis in "zyx"] for row in rows] == points.positions.tolist()
    values = points.amplitudes[:, 0] * points.step[0]
    assert [float(row["value"]) for row in rows] == pytest.approx(values, rel=1e-5)
    assert "7 points" in plain(shown.stderr)
    out = tmp_path / "points.geojson"
    assert typed("compact", "--show", tmp_path / "points" / "volume.kpt", out).exit_code == 0
    features = json.loads(out.read_text(encoding="utf-8"))["features"]
    (z, y, x), feature = points.positions[0].tolist(), features[0]
    assert feature["geometry"] == {
        "type": "Point",
        "coordinates": [x + 0.5, y + 0.5],
        "plane": {"c": -1, "z": z, "t": 0},
    }
    assert len(features) == 7
    assert typed("compact", "--show", tmp_path / "points" / "volume.kpt", out).exit_code == 2
    table = tmp_path / "colour.csv"
    assert typed("compact", "--show", tmp_path / "points" / "colour.kpt", table).exit_code == 0
    assert table.read_text(encoding="utf-8").startswith("y,x,value_0,value_1,value_2\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--show", "a.kpt", "--method", "grey"), "--show lists points that are there"),
        (("--show", "a.kpt", "b.txt"), "expected a name that ends in .csv or .geojson"),
        (("--show", "a.kpt"), "there is no such file"),
        (("--show", "."), "this is a folder; name one of its files, NAME.kpt"),
        (("a.png", "b.kpt"), "this is the name of a file"),
        (("a.png",), "OUT is missing"),
        (("a.png", "b.tif"), "this is the name of a file"),
    ],
)
def test_words_that_do_not_go_together_are_refused(words, message):
    shown = typed("compact", *words)
    assert shown.exit_code == 2
    assert message in plain(shown.stderr)


def test_a_page_says_what_points_are_worth(images, tmp_path):
    (images / "line.tif").unlink()
    shown = typed("compact", images, tmp_path / "points", "--method", "grey", "--points", "5%", "--report")
    assert shown.exit_code == 0, shown.output
    page = (tmp_path / "points" / "compact.html").read_text(encoding="utf-8")
    for word in ("grey.png", "colour.png, Y 0:60, X 0:90, channel 1 of 3", "volume.ome.tif, Z 1:2"):
        assert word in page
    for word in ("black", "1-bit bitmap", "JPEG 2000", "AVIF", "WebP", "JPEG XL, lossless", "2 n + 2"):
        assert word in page


def test_what_cannot_be_judged_keeps_no_page_from_the_others(images, tmp_path):
    out = tmp_path / "points"
    files.write(images / "line.png", LINE[:1])
    assert typed("compact", images, out, "--method", "bitmap").exit_code == 3  # colour.png has channels
    (out / "grey.kpt").write_bytes((out / "grey.kpt").read_bytes()[:-1])
    shown = typed("compact", images, out, "--method", "bitmap", "--report")
    assert shown.exit_code == 3, shown.output
    assert "wrote 0 of 5 results" in plain(shown.stdout)
    assert f"{images / 'grey.png'}: {out / 'grey.kpt'}: this file of key points is damaged" in plain(
        shown.stderr
    )
    page = (out / "compact.html").read_text(encoding="utf-8")
    assert ("line.tif" in page, "line.png" in page, "grey.png" in page) == (True, True, False)


@pytest.mark.parametrize("record", ['{"a', "[]", '{"grey.kpt": 1}', ""])
def test_a_damaged_record_stops_the_work_in_its_folder(images, tmp_path, record):
    out = tmp_path / "points"
    assert typed("compact", images, out).exit_code == 0
    (out / "compact.json").write_text(record)
    for words in ((), ("--force",)):
        shown = typed("compact", images, out, *words)
        assert shown.exit_code == 2
        assert f"{out / 'compact.json'}: " in plain(shown.stderr)
        assert plain(shown.stderr).count("remove it, and make them again with --force") == 1
    (out / "compact.json").unlink()
    assert typed("compact", images, out, "--force").exit_code == 0


def test_an_original_is_never_replaced_by_what_is_built_again(images, tmp_path):
    assert typed("compact", images / "grey.png", images).exit_code == 0
    for words in ((), ("--force",)):
        shown = typed("expand", images / "grey.kpt", images, *words)
        assert shown.exit_code == 2
        assert "it may be the original, which --force does not replace" in plain(shown.stderr)
    assert np.array_equal(files.read(images / "grey.png")[..., 0], GREY)
    again = tmp_path / "again"
    for words in ((), ("--force",)):
        assert typed("expand", images / "grey.kpt", again, *words).exit_code == 0


def test_a_link_that_leads_nowhere_stops_no_other_image(images, tmp_path):
    (images / "dangling.png").symlink_to("nowhere.png")
    shown = typed("compact", images, tmp_path / "points")
    assert shown.exit_code == 3, shown.output
    assert "dangling.png: there is a link to nowhere.png" in plain(shown.stderr)
    assert "wrote 4 of 5 results" in plain(shown.stdout)
