"""Cellpose's files are read as NumPy would read them, and nothing in them is ever run."""

import contextlib
import os
import pickle

import numpy as np
import pytest

from kerasseg.annotations import cellpose
from kerasseg.errors import UserError

LABELS = np.arange(12, dtype=np.int32).reshape(3, 4)


def saved(tmp_path, content):
    np.save(tmp_path / "a_seg.npy", content)
    return tmp_path / "a_seg.npy"


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<i4", "<u4", "<i8"])
@pytest.mark.parametrize("order", "CF")
def test_masks_are_what_numpy_loads(tmp_path, dtype, order):
    masks = np.asarray(LABELS, dtype, order=order)
    content = {
        "outlines": masks.copy(),
        "colors": [np.zeros((3, 3), np.uint8), (1, 2.5, None, True)],
        "masks": masks,
        "chan_choose": [0, 1],
        "flows": [np.zeros((2, 3, 4), np.float32), []],
        "filename": "a.png",
        "est_diam": np.float64(30.0),
        "ismanual": np.zeros(11, bool),
    }
    path = saved(tmp_path, content)
    assert np.array_equal(cellpose.read(path), np.load(path, allow_pickle=True).item()["masks"])
    assert cellpose.read(path).dtype == np.int32


class Evil:
    """What unpickling it would make a folder of."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_ever_called(tmp_path, protocol):
    header = saved(tmp_path, {"masks": LABELS}).read_bytes()[:128]
    array = np.array({"other": Evil(tmp_path / "was_here"), "masks": Evil(tmp_path / "too")}, dtype=object)
    (tmp_path / "a_seg.npy").write_bytes(header + pickle.dumps(array, protocol=protocol))
    with pytest.raises(UserError, match=r"a_seg\.npy.*export the masks as PNG or TIFF"):
        cellpose.read(tmp_path / "a_seg.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["a_seg.npy"]


@pytest.mark.parametrize(
    "content",
    [
        {"masks": LABELS.astype(float)},
        {"masks": np.zeros((2, 3, 4), np.int32)},
        {"masks": 7},
        {"no masks": LABELS},
        [1, 2],
        LABELS,
    ],
)
def test_other_contents_are_refused(tmp_path, content):
    with pytest.raises(UserError, match=r"a_seg\.npy"):
        cellpose.read(saved(tmp_path, content))


def test_a_file_cut_anywhere_or_garbled_is_refused_or_read(tmp_path):
    path = saved(tmp_path, {"masks": LABELS})
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="a_seg"):
            cellpose.read(path)
    for _ in range(300):
        garbled = np.frombuffer(whole, np.uint8).copy()
        garbled[rng.integers(0, garbled.size, 3)] = rng.integers(0, 256, 3)
        path.write_bytes(garbled.tobytes())
        with contextlib.suppress(UserError):
            assert cellpose.read(path).ndim == 2
