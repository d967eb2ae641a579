"""Many small images in one file: NumPy's .npz archives, and the IDX files of MNIST, plain or gzipped.

What a header claims is compared with the bytes that are there before any pixel is read, and nothing is
unpickled.
"""

from __future__ import annotations

import gzip
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kerasseg.errors import UserError

MOST_BYTES = 2**30  # of one array; MNIST's largest has 47 MB
SUFFIXES = (".npz", "-ubyte", "-ubyte.gz")
IDX_UINT8 = 8  # the type code of MNIST's files, the only one that images and labels need
DAMAGES = (OSError, EOFError, ValueError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile)
"""What the libraries raise on bytes that are no such file."""
AXES = {1: "labels", 3: "images", 4: "images with channels"}


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a file by their names.

    Parameters
    ----------
    path : Path
        An .npz archive, or an IDX file, whose one array has the file's name.

    Returns
    -------
    dict of str to numpy.ndarray
        As stored: uint8 in an IDX file, any numbers in an archive.

    Raises
    ------
    UserError
        If it is neither, is damaged, holds objects, or claims more than is there or than fits into memory.

    References
    ----------
    IDX: LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/.
    """
    try:
        if path.suffix.lower() == ".npz":
            return _read_npz(path)
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return {path.name: _read_idx(file, path)}
    except DAMAGES as error:
        raise UserError(f"{path}: the file is damaged, or no .npz or IDX file ({error})") from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        return {
            info.filename.removesuffix(".npy"): _read_member(archive, info, path)
            for info in archive.infolist()
        }


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> np.ndarray:
    """Read one array, when its header agrees with the size that the archive gives."""
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0}.get(
            version, np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read_header(file)
        if dtype.hasobject:
            raise ValueError(f"{info.filename} holds Python's objects, which are never loaded")
        claimed = math.prod(shape) * dtype.itemsize
        _check_bytes(claimed, info.file_size - file.tell(), path)
    with archive.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _read_idx(file: BinaryIO, path: Path) -> np.ndarray:
    zeros, code, rank = file.read(2), *file.read(2)
    if zeros != b"\0\0" or code != IDX_UINT8 or rank not in AXES:
        raise ValueError(f"it begins with {zeros.hex()}, type {code}, {rank} axes")
    shape = np.frombuffer(file.read(4 * rank), ">u4").astype(int)
    claimed = math.prod(shape.tolist())
    _check_bytes(claimed, claimed, path)
    content = file.read(claimed + 1)
    _check_bytes(claimed, len(content), path)
    return np.frombuffer(content, np.uint8).reshape(shape)


def _check_bytes(claimed: int, there: int, path: Path) -> None:
    if claimed > MOST_BYTES:
        raise UserError(f"{path}: an array takes {claimed:,} bytes; expected at most {MOST_BYTES:,}")
    if claimed != there:
        raise ValueError(f"an array should take {claimed:,} bytes, and {there:,} are there")
