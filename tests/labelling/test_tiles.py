"""A slide is cut into files and put together again; a crop is repeated, goes on, or is refused."""

import csv
import itertools
import os
import shutil

import numpy as np
import pytest
import tifffile

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.stores.store import Store
from kerasseg.images.writing.result import Result
from kerasseg.images.writing.zarr import write_zarr
from kerasseg.labelling import tiles as cropping
from kerasseg.labelling.folder import read_tiles, tile_path
from kerasseg.labelling.slide import read_slide, read_window
from kerasseg.labelling.tiles import read_tile
from kerasseg.synthetic.origin import is_synthetic

SMALL = {"tile": 16, "margin": 2}
WHOLE = {"padding": "zero", "region": None, "test_region": None}
NOISE = np.random.default_rng(0).integers(1, 256, (30, 40, 1), np.uint8)


def crop(slide, root, axes=None, **window):
    return cropping.crop(slide, root, axes, **WHOLE | window)


@pytest.fixture
def slide(tmp_path):
    files.write(tmp_path / "slide.png", NOISE)
    return tmp_path / "slide.png"


def whole(root):
    """Lay the cores of the tiles where they lie on the slide; 0 where no tile was cut."""
    window = read_window(root)
    channels = read_tile(root, read_tiles(root)[0].name)
    slide = np.zeros((*window.size, channels.shape[-1]), channels.dtype)
    for tile in itertools.chain(*window.rows):
        slide[tile.core] = read_tile(root, window.name(tile))[tile.inner]
    return slide


def written(root):
    """Say when each tile was written."""
    return {path.name: path.stat().st_mtime_ns for path in (root / "tiles").iterdir()}


def test_what_lies_in_the_folder(slide, tmp_path):
    root = tmp_path / "root"
    tiles = crop(slide, root, **SMALL)
    assert [tile.name for tile in tiles] == [f"00{row}-00{column}" for row in range(3) for column in range(4)]
    assert sorted(path.name for path in root.iterdir()) == ["slide.json", "tiles", "tiles.csv"]
    assert sorted(written(root)) == [f"{tile.name}.png" for tile in tiles]
    assert read_tiles(root) == tiles
    table = list(csv.reader((root / "tiles.csv").read_text().splitlines()))
    assert table[0] == ["name", "row", "column", "y", "x", "part", "mean", "deviation"]
    assert table[6][:6] == ["001-001", "1", "1", "12", "12", "train"]
    slide = read_slide(root)
    assert {name: slide[name] for name in (*SMALL, *WHOLE)} == SMALL | WHOLE
    assert [slide["slide"][name] for name in ("size", "dtype", "channels")] == [[30, 40], "uint8", 1]


def test_a_tile_is_the_window_with_its_margin_and_is_described(slide, tmp_path):
    tiles = crop(slide, tmp_path / "root", **SMALL)
    inside, corner = read_tile(tmp_path / "root", "001-001"), read_tile(tmp_path / "root", "000-000")
    np.testing.assert_array_equal(inside, NOISE[10:26, 10:26])
    np.testing.assert_array_equal(corner, np.pad(NOISE[:14, :14], ((2, 0), (2, 0), (0, 0))))
    assert tiles[5].mean == pytest.approx((NOISE[10:26, 10:26] / 255).mean(), rel=1e-5)
    assert tiles[5].deviation == pytest.approx((NOISE[10:26, 10:26] / 255).std(), rel=1e-5)


@pytest.mark.parametrize(
    ("dtype", "channels", "suffix"),
    [
        (np.uint8, 1, ".png"),
        (np.uint8, 3, ".png"),
        (np.uint16, 1, ".png"),
        (np.uint16, 3, ".png"),
        (np.uint8, 2, ".tif"),
        (np.uint16, 4, ".tif"),
        (np.float32, 1, ".tif"),
    ],
)
def test_every_type_comes_back_as_it_was(dtype, channels, suffix, tmp_path):
    rng = np.random.default_rng(0)
    image = rng.random((17, 33, channels))
    image = image.astype(dtype) if dtype == np.float32 else (image * np.iinfo(dtype).max).astype(dtype)
    tifffile.imwrite(tmp_path / "slide.tif", image, photometric="rgb" if channels == 3 else "minisblack")
    tiles = crop(tmp_path / "slide.tif", tmp_path / "root", axes="YXC", **SMALL)
    assert {tile_path(tmp_path / "root", tile.name).suffix for tile in tiles} == {suffix}
    assert {read_tile(tmp_path / "root", tile.name).shape for tile in tiles} == {(16, 16, channels)}
    back = whole(tmp_path / "root")
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, image)
    assert tiles[1].mean == pytest.approx(0.4, abs=0.1)  # black above and noise below


@pytest.mark.parametrize("size", [(1, 1), (5, 12), (12, 12), (13, 12), (16, 16), (31, 7)])
def test_a_slide_smaller_than_a_tile_is_covered(size, tmp_path):
    image = NOISE[: size[0], : size[1]]
    files.write(tmp_path / "slide.png", image)
    crop(tmp_path / "slide.png", tmp_path / "root", padding="reflect", **SMALL)
    np.testing.assert_array_equal(whole(tmp_path / "root"), image)


def test_tiles_are_of_the_region_and_know_what_they_are_for(slide, tmp_path):
    tiles = crop(slide, tmp_path / "root", **SMALL, region=(0, 0, 24, 40), test_region=(0, 24, 30, 16))
    assert [tile.name for tile in tiles] == [f"00{row}-00{column}" for row in range(2) for column in range(4)]
    assert [tile.part for tile in tiles] == ["train", "", "", "test"] * 2
    np.testing.assert_array_equal(whole(tmp_path / "root")[:24], NOISE[:24])


def test_the_same_again_is_done_at_once(slide, tmp_path, monkeypatch):
    tiles = crop(slide, tmp_path / "root", **SMALL)
    monkeypatch.setattr(cropping, "_cut", None)
    assert crop(slide, tmp_path / "root", **SMALL) == tiles


def test_what_was_killed_goes_on(slide, tmp_path, monkeypatch):
    root, write = tmp_path / "root", files.write

    def killed(path, image):
        if path.name.startswith("001"):
            raise KeyboardInterrupt
        write(path, image)

    monkeypatch.setattr(files, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        crop(slide, root, **SMALL)
    monkeypatch.undo()
    assert not (root / "slide.json").exists()
    with pytest.raises(UserError, match="crop the slide first"):
        read_slide(root)
    (root / "tiles/.000-003.0123abcd.png").write_bytes(b"half a tile")
    before = written(root)
    crop(slide, root, **SMALL)
    after = written(root)
    assert len(after) == 12
    assert {name: after[name] for name in before if name in after} == {
        name: time for name, time in before.items() if not name.startswith(".")
    }
    np.testing.assert_array_equal(whole(root), NOISE)


def test_a_tile_that_is_gone_is_named_and_comes_back(slide, tmp_path):
    root = tmp_path / "root"
    tiles = crop(slide, root, **SMALL)
    (root / "queue.csv").touch()
    before = written(root)
    tile_path(root, "001-002").unlink()
    with pytest.raises(UserError, match=r"001-002.png: this tile is gone; crop the slide again"):
        read_tile(root, "001-002")
    assert crop(slide, root, **SMALL) == tiles
    after = written(root)
    assert after.keys() == before.keys()
    assert [name for name in before if after[name] != before[name]] == ["001-002.png"]


def test_other_settings_start_over_where_nobody_labelled(slide, tmp_path):
    root = tmp_path / "root"
    crop(slide, root, **SMALL)
    for name in ("embeddings.npy", "clusters.csv", "my notes.txt"):
        (root / name).touch()
    tiles = crop(slide, root, tile=24, margin=2)
    assert sorted(written(root)) == [f"{tile.name}.png" for tile in tiles]
    assert {path.name for path in root.iterdir()} == {"slide.json", "tiles", "tiles.csv", "my notes.txt"}
    np.testing.assert_array_equal(whole(root), NOISE)


@pytest.mark.parametrize("labelled", ["queue.csv", "queue"])
def test_what_somebody_labels_is_never_cut_otherwise(slide, labelled, tmp_path):
    root = tmp_path / "root"
    crop(slide, root, **SMALL)
    (root / labelled).mkdir()
    before = written(root)
    with pytest.raises(UserError) as told:
        crop(slide, root, tile=24, margin=2, padding="edge")
    assert [line.strip() for line in told.value.messages[1:]] == [
        "padding: 'zero' then, 'edge' now",
        "tile: 16 then, 24 now",
    ]
    files.write(slide, NOISE[::-1])
    with pytest.raises(UserError, match=r"slide.digest: '\w+' then, '\w+' now"):
        crop(slide, root, **SMALL)
    assert written(root) == before


def test_a_copy_of_the_slide_is_the_slide(slide, tmp_path):
    root = tmp_path / "root"
    tiles = crop(slide, root, **SMALL)
    (root / "queue.csv").touch()
    before = written(root)
    shutil.copyfile(slide, tmp_path / "copy.png")
    os.utime(tmp_path / "copy.png", (1, 1))
    assert crop(tmp_path / "copy.png", root, **SMALL) == tiles
    assert written(root) == before


def test_a_zarr_is_known_by_all_that_is_in_it(tmp_path):
    pytest.importorskip("zarr", minversion="3")
    slide, root = tmp_path / "slide.ome.zarr", tmp_path / "root"
    write_zarr(slide, Result(NOISE[..., 0], "YX", (None, None), "area"))
    tiles = crop(slide, root, **SMALL)
    np.testing.assert_array_equal(whole(root), NOISE)
    (root / "queue.csv").touch()
    shutil.copytree(slide, tmp_path / "copy.ome.zarr", copy_function=shutil.copyfile)
    assert crop(tmp_path / "copy.ome.zarr", root, **SMALL) == tiles
    write_zarr(slide, Result(NOISE[::-1, :, 0], "YX", (None, None), "area"))
    with pytest.raises(UserError, match=r"slide\.digest"):
        crop(slide, root, **SMALL)


def test_tiles_of_a_synthetic_slide_are_marked_as_it_is(slide, tmp_path):
    (tmp_path / "SYNTHETIC").write_text("drawn\n")
    crop(slide, tmp_path / "root", **SMALL)
    assert is_synthetic(tmp_path / "root")
    (tmp_path / "SYNTHETIC").unlink()
    crop(slide, tmp_path / "root", tile=20, margin=4)
    assert not is_synthetic(tmp_path / "root")


def test_a_row_of_tiles_is_read_at_a_time(slide, tmp_path, monkeypatch):
    read, regions = Store.read, []
    monkeypatch.setattr(Store, "read", lambda store, region: regions.append(region) or read(store, region))
    crop(slide, tmp_path / "root", **SMALL, region=(12, 12, 18, 14))
    assert regions == [(slice(10, 26), slice(10, 26)), (slice(22, 30), slice(10, 26))]


def test_a_folder_of_tiles_of_somebody_else_is_left_alone(slide, tmp_path):
    (tmp_path / "root/tiles").mkdir(parents=True)
    (tmp_path / "root/tiles/mine.png").touch()
    with pytest.raises(UserError, match="was not made by crop; choose another folder"):
        crop(slide, tmp_path / "root", **SMALL)
    assert (tmp_path / "root/tiles/mine.png").exists()


def test_a_black_slide_is_cut_and_it_is_said(tmp_path, capsys):
    files.write(tmp_path / "slide.png", NOISE * 0)
    tiles = crop(tmp_path / "slide.png", tmp_path / "root", **SMALL)
    assert {(tile.mean, tile.deviation) for tile in tiles} == {(0.0, 0.0)}
    assert "all tiles are black" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("image", "axes", "told"),
    [
        (np.zeros((4, 20, 20), np.uint8), "ZYX", r"volume of 4 x 20 x 20 voxels; expected a 2-D slide"),
        (np.full((20, 20), 1.5, np.float32), None, r"float intensities lie in \[0, 1.5\]; expected \[0, 1\]"),
        (np.full((20, 20), np.nan, np.float32), None, r"expected \[0, 1\]"),
        (np.full((20, 20), 70000, np.int32), None, r"\[0, 70000\]"),
    ],
)
def test_what_is_no_slide_is_refused(image, axes, told, tmp_path):
    tifffile.imwrite(tmp_path / "slide.tif", image)
    with pytest.raises(UserError, match=told):
        crop(tmp_path / "slide.tif", tmp_path / "root", axes=axes, **SMALL)
    assert not (tmp_path / "root/slide.json").exists()


def test_wrong_settings_leave_nothing_behind(slide, tmp_path):
    with pytest.raises(UserError, match="inside the slide"):
        crop(slide, tmp_path / "root", **SMALL, region=(0, 0, 31, 40))
    with pytest.raises(UserError, match="there is no such file"):
        crop(tmp_path / "none.png", tmp_path / "root", **SMALL)
    assert not (tmp_path / "root").exists()


def test_files_made_nonsense_by_hand_are_named(slide, tmp_path):
    root = tmp_path / "root"
    with pytest.raises(UserError, match=r"tiles.csv: there is no such file; crop the slide first"):
        read_tiles(root)
    crop(slide, root, **SMALL)
    table = (root / "tiles.csv").read_text()
    for nonsense, mistake in {
        "": "there is no column name",
        table.replace("mean", "men"): "unknown column 'men'",
        table.replace("12,12", "12;12"): r"line \d+: it has 7 cells; expected 8",
        f"{table}x": "line 14: it has 1 cells; expected 8",
        table.replace("train", "train,", 1): "it has 9 cells",
    }.items():
        (root / "tiles.csv").write_text(nonsense)
        with pytest.raises(
            UserError, match=rf"tiles.csv: .*{mistake}(.|\n)*remove this file and crop the slide"
        ):
            read_tiles(root)
    (root / "slide.json").write_text("{")
    with pytest.raises(UserError, match=r"slide.json: this is not JSON"):
        read_slide(root)
