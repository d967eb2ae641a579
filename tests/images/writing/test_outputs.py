"""Files that appear all together, or not at all."""

from pathlib import Path

import numpy as np
import pytest

from kerasseg import locks
from kerasseg.errors import Blocked, UserError
from kerasseg.images.writing.outputs import appearing, check_free, ending, write
from kerasseg.images.writing.result import Result

RESULT = Result(np.arange(6, dtype=np.uint8).reshape(2, 3), "YX", (None, None), "nearest")


def test_all_appear_when_all_are_written(tmp_path):
    image, table = tmp_path / "new" / "a.ome.zarr", tmp_path / "new" / "a.csv"
    for text in ("first", "second"):  # a Zarr and a file that are there are replaced
        with appearing(image, table) as folder:
            write(folder / image.name, RESULT)
            (folder / table.name).write_text(text)
            assert not image.exists() or text == "second"
    assert table.read_text() == "second"
    assert sorted(path.name for path in image.parent.iterdir()) == ["a.csv", "a.ome.zarr"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, UserError])
def test_none_appears_when_writing_ends_early(tmp_path, end):
    def half() -> None:
        with appearing(tmp_path / "a.tif", tmp_path / "a.csv") as folder:
            write(folder / "a.tif", RESULT)
            raise end

    with pytest.raises(end):
        half()
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_left_is_cleared_away(tmp_path):
    left = tmp_path / ".a.tif.unfinished"
    left.mkdir()
    (left / "labels.npy").write_bytes(b"half")
    with appearing(tmp_path / "a.tif") as folder:
        assert list(folder.iterdir()) == []
        write(folder / "a.tif", RESULT)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_another_process_at_the_same_place_is_refused(tmp_path):
    busy, refused = (
        locks.held(tmp_path / ".a.tif.lock", "a.tif"),
        pytest.raises(Blocked, match="is at work there"),
    )
    with busy, refused, appearing(tmp_path / "a.tif"):
        pass


def test_what_is_there_is_named(tmp_path):
    (tmp_path / "a.csv").touch()
    (tmp_path / "a.tif").mkdir()
    paths = tmp_path / "a.tif", tmp_path / "a.csv"
    with pytest.raises(UserError) as error:
        check_free(paths, overwrite=False)
    folder, file = error.value.messages
    assert "a.tif: it is a folder and no Zarr" in folder
    assert "a.csv: it exists; replace it by --overwrite" in file
    with pytest.raises(UserError, match="it is a folder and no Zarr"):
        check_free(paths, overwrite=True)


@pytest.mark.parametrize(
    ("name", "suffix"), [("a.b.ome.tif", ".ome.tif"), ("a.tiff", ".tiff"), ("a.zarr", ".zarr")]
)
def test_the_format_goes_by_the_name(name, suffix):
    assert ending(Path(name)) == suffix


def test_other_names_are_refused():
    with pytest.raises(UserError, match=r"a\.png: expected a name that ends in one of \.ome\.tif"):
        ending(Path("a.png"))
