"""Many images in a file are read as they were written; a header that lies is found out."""

import gzip
import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseg.errors import UserError
from kerasseg.images.arrays import read_arrays

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def idx(array, *, code=8):
    return struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape) + array.tobytes()


def npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def test_archives_are_read_by_name(tmp_path):
    (tmp_path / "a.npz").write_bytes(npz(images=IMAGES, labels=np.array([7, 3])))
    arrays = read_arrays(tmp_path / "a.npz")
    np.testing.assert_array_equal(arrays["images"], IMAGES)
    assert arrays["labels"].tolist() == [7, 3]


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-images.idx3-ubyte.gz"])
def test_idx_files_are_read_plain_and_gzipped(tmp_path, name):
    content = idx(IMAGES)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    np.testing.assert_array_equal(read_arrays(tmp_path / name)[name], IMAGES)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a-ubyte", idx(IMAGES)[:-1], "24 bytes, and 23 are there"),
        ("a-ubyte", idx(IMAGES) + b"0", "24 bytes, and 25 are there"),
        ("a-ubyte", idx(IMAGES, code=13), "type 13"),
        ("a-ubyte", b"", "damaged"),
        ("a-ubyte", struct.pack(">HBB3I", 0, 8, 3, *[2**31] * 3), "expected at most 1,073,741,824"),
        ("a-ubyte.gz", b"\x1f\x8b nothing", "damaged"),
        ("a.npz", npz(images=IMAGES)[:-30], "damaged"),
        ("a.npz", npz(images=np.array([{}, None])), "objects, which are never loaded"),
    ],
)
def test_what_is_damaged_is_told(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_arrays(tmp_path / name)


@given(place=st.integers(0, len(npz(images=IMAGES)) - 1), value=st.integers(0, 255))
@settings(max_examples=100, deadline=None)
def test_a_changed_byte_is_a_message_or_the_same_image(tmp_path_factory, place, value):
    content = bytearray(npz(images=IMAGES))
    content[place] = value
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    path.write_bytes(content)
    try:
        arrays = read_arrays(path)
    except UserError:
        return
    for array in arrays.values():
        np.testing.assert_array_equal(array, IMAGES)
