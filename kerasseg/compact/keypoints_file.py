"""The file format of key points, ``.kpt``: written whole, read by region, and never trusted.

``docs/keypoints.md`` describes it so that another program can read it. The header lists the length and the
checksum of all that follows, so that a region is read without the rest, and no byte can change unseen.
"""

from __future__ import annotations

import io
import itertools
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kerasseg.compact import point_coding
from kerasseg.compact.kernels import NORMS, SIZES, UNIT
from kerasseg.compact.keypoints import DTYPES, Base, Kernel, KeyPoints
from kerasseg.compact.point_coding import varints
from kerasseg.errors import UserError
from kerasseg.files import write_atomically
from kerasseg.images.headers import MAX_PIXELS

SUFFIX = ".kpt"
MAGIC = b"\x89KPT\r\n\x1a\n"  # as PNG's: what takes it for text breaks it, and is found out
VERSION = 1
BLOCK, GROUP = 64, 512  # pixels a side; points are numbered in blocks, and read a group at a time
LONGEST = 1 << 32  # pixels of an axis
MOST_FACTOR = 64  # of the base: what one of its pixels becomes is held in memory
MOST_UNITS = (1 << 24) - 1  # of a kernel's value, which float32 holds to the last
SPACE = "ZYX"  # axes that have a pixel size


@dataclass(frozen=True)
class Section:
    """Where a part of the file lies: first the base where there is one, then each group of blocks."""

    start: int
    length: int
    checksum: int


def encode(points: KeyPoints) -> bytes:
    """Write key points as the bytes of a file.

    Raises
    ------
    ValueError
        If the kernel is not its own mirror image along both axes, or its values are not multiples of 2**-16.
    """
    sections = [points.base.encoded] if points.base else []
    sections += _groups(points)
    index = b"".join(
        varints([len(content)]) + (struct.pack("<I", zlib.crc32(content)) if content else b"")
        for content in sections
    )
    body = _described(points) + index
    head = MAGIC + varints([VERSION, len(body)]) + body
    return b"".join([head, struct.pack("<I", zlib.crc32(head)), *sections])


def write(path: Path, points: KeyPoints) -> None:
    """Write key points as a file, which appears when it is complete.

    Raises
    ------
    UserError
        If it cannot be written: no permission, disk full.
    """
    content = encode(points)
    with write_atomically(path) as temporary:
        temporary.write_bytes(content)


def read(path: Path, region: Sequence[slice] | None = None) -> KeyPoints:
    """Read the key points of a file, or those of a region; see `KeyPointsFile.points`."""
    with opened(path) as file:
        return file.points(region)


@contextmanager
def opened(path: Path) -> Iterator[KeyPointsFile]:
    """Open a file of key points for reading by region.

    Raises
    ------
    UserError
        If there is no such file, it is damaged, or it is none.
    """
    if Path(path).is_dir():
        raise UserError(f"{path}: this is a folder; name one of its files, NAME{SUFFIX}")
    if not Path(path).is_file():
        raise UserError(f"{path}: there is no such file")
    with Path(path).open("rb") as stream:
        yield KeyPointsFile(stream, str(path))


class KeyPointsFile:
    """An open file of key points, of which only the header has been read.

    Parameters
    ----------
    stream : file of bytes
    name : str
        For messages.

    Attributes
    ----------
    described : KeyPoints
        Without points and without the base.
    size : int
        Bytes of the file.

    Raises
    ------
    UserError
        If it is no whole header of such a file.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self.size = stream.seek(0, io.SEEK_END)
        with self._damages():
            self._read_header()

    @classmethod
    def of_bytes(cls, content: bytes, name: str = "key points") -> KeyPointsFile:
        """Open what `encode` gave."""
        return cls(io.BytesIO(content), name)

    def points(self, region: Sequence[slice] | None = None) -> KeyPoints:
        """Read all points, or those that a region is rebuilt from.

        Parameters
        ----------
        region : sequence of slice, optional
            One for each axis but C, with a start and a stop inside the image.

        Returns
        -------
        KeyPoints
            Of the whole image's shape and with the whole base; with a region, only of those points that the
            kernel carries into it.

        Raises
        ------
        UserError
            If what must be read for it is damaged.
        """
        grid = self.described.grid
        region = tuple(region or (slice(0, side) for side in grid))
        reach = (*(0,) * (len(grid) - 2), *(self.described.kernel.radius,) * 2)
        low = np.array([max(0, part.start - far) for part, far in zip(region, reach, strict=True)])
        high = np.array(
            [min(part.stop + far, side) for part, far, side in zip(region, reach, grid, strict=True)]
        )
        with self._damages():
            positions, amplitudes = self._points_between(low, high)
        return replace(self.described, positions=positions, amplitudes=amplitudes, base=self.base)

    @cached_property
    def base(self) -> Base | None:
        """The base, decoded; it is read whole, and so has a limit."""
        if self._base_factor == 0:
            return None
        with self._damages():
            encoded = self._content(self._sections[0])
            *planes, height, width = self.described.grid
            small = (*planes, -(-height // self._base_factor), -(-width // self._base_factor))
            channels = self.described.has_channels
            shape = (*small, self.described.channels) if channels else small
            if math.prod(shape) > MAX_PIXELS:
                raise ValueError(f"its base has {math.prod(shape):,} pixels; expected at most {MAX_PIXELS:,}")
            return Base.decode(
                self._base_factor, encoded, shape, np.dtype(self.described.dtype), channels=channels
            )

    def _read_header(self) -> None:
        self._stream.seek(0)
        if self._stream.read(len(MAGIC)) != MAGIC:
            raise ValueError("it does not begin as a file of key points does")
        start = _Fields(self._stream.read(20))
        if (version := start.number(LONGEST)) != VERSION:
            raise ValueError(f"it is of version {version}, and version {VERSION} is known")
        length = start.number(self.size)
        end = len(MAGIC) + start.used + length
        self._stream.seek(0)
        head, checksum = self._stream.read(end), self._stream.read(4)
        if len(head) < end or checksum != struct.pack("<I", zlib.crc32(head)):
            raise ValueError("its header does not have its checksum")
        fields = _Fields(head[len(MAGIC) + start.used :])
        self.described, self._has_amplitudes, self._base_factor = _description(fields)
        self._sections = self._index(fields, end + 4)
        fields.check_end()

    def _index(self, fields: _Fields, start: int) -> list[Section]:
        """Read where each section lies; together they end where the file ends."""
        count = math.prod(_group_counts(self.described.grid)) + (self._base_factor > 0)
        if count > fields.left:  # one byte each at least: a small file cannot stand for endless pixels
            raise ValueError("its index is shorter than its image")
        sections = []
        for _ in range(count):
            length = fields.number(self.size)
            checksum = struct.unpack("<I", fields.bytes(4))[0] if length else 0
            sections.append(Section(start, length, checksum))
            start += length
        if start != self.size:
            raise ValueError(f"it has {self.size:,} bytes; its header says {start:,}")
        return sections

    def _content(self, section: Section) -> bytes:
        self._stream.seek(section.start)
        content = self._stream.read(section.length)
        if len(content) < section.length or zlib.crc32(content) != section.checksum * bool(section.length):
            raise ValueError(f"the {section.length:,} bytes from {section.start:,} on are not as written")
        return content

    def _points_between(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Read the points of a box in all groups that it touches, in C order."""
        counts = _group_counts(self.described.grid)
        steps = np.array([*(1,) * (len(counts) - 2), GROUP, GROUP])
        touched = [range(a, b) for a, b in zip(low // steps, -(-high // steps), strict=True)]
        channels = self.described.channels if self._has_amplitudes else 0
        positions = [np.zeros((0, len(counts)), np.int64)]
        amplitudes = [np.zeros((0, channels), np.int32)]
        for group in itertools.product(*touched):
            number = int(np.ravel_multi_index(group, counts)) + (self._base_factor > 0)
            cut = _Blocks.of_group(group, self.described.grid)
            content = self._content(self._sections[number])
            blocks, places, values = point_coding.decode(content, cut.areas, channels)
            where = np.tile(np.array((*group[:-2], 0, 0), np.int64), (len(places), 1))
            where[:, -2:] = cut.pixels(blocks, places)
            inside = ((where >= low) & (where < high)).all(axis=1)
            positions.append(where[inside])
            if channels:
                amplitudes.append(values[inside])
        where = np.concatenate(positions)
        order = np.lexsort(where.T[::-1])
        return where[order], np.concatenate(amplitudes)[order] if channels else None

    @contextmanager
    def _damages(self) -> Iterator[None]:
        """Turn what is wrong with the file's bytes into a message."""
        try:
            yield
        except (ValueError, UserError) as error:
            raise UserError(
                f"{self._name}: this file of key points is damaged, or none: {error}. Copy it again, or make "
                "it again from its image by kerasseg compact"
            ) from error


class _Fields:
    """Bytes that are read from their beginning, field after field; a ValueError where they end too early."""

    def __init__(self, content: bytes) -> None:
        self._content, self.used = content, 0

    @property
    def left(self) -> int:
        return len(self._content) - self.used

    def bytes(self, length: int) -> bytes:
        if length > self.left:
            raise ValueError("its header ends too early")
        self.used += length
        return self._content[self.used - length : self.used]

    def number(self, most: int) -> int:
        """Read a varint, unsigned LEB128, from 0 to `most`."""
        value = 0
        for digit in range(10):
            byte = self.bytes(1)[0]
            value |= (byte & 127) << (7 * digit)
            if byte < 128:
                break
        else:
            raise ValueError("a number in its header has no end")
        if value > most or (byte == 0 and digit > 0):
            raise ValueError(f"its header says {value}; expected at most {most}")
        return value

    def floats(self, kind: str, count: int) -> np.ndarray:
        """Read numbers of a NumPy type."""
        size = np.dtype(kind).itemsize
        return np.frombuffer(self.bytes(count * size), kind).astype(kind[1:])

    def text(self) -> str:
        return self.bytes(self.number(64)).decode("ascii")

    def check_end(self) -> None:
        if self.left:
            raise ValueError("there are bytes after the end of its header")


def _described(points: KeyPoints) -> bytes:
    """Write all fields before the index."""
    kernel, sizes = points.kernel, points.pixel_size
    return b"".join(
        [
            _text(points.method),
            _text(points.axes),
            varints(list(points.shape)),
            bytes([np.dtype(points.dtype).itemsize, sizes is not None]),
            b"" if sizes is None else np.array([size or np.nan for size in sizes], "<f8").tobytes(),
            _text(kernel.name),
            bytes([NORMS.index(kernel.norm)]),
            varints([kernel.radius]),
            varints(_quarter(kernel.values).ravel()),
            points.offset.astype("<f8").tobytes(),
            points.step.astype("<f8").tobytes(),
            varints(points.limits.ravel()),
            bytes([points.amplitudes is not None]),
            varints([points.base.factor if points.base else 0]),
        ]
    )


def _description(fields: _Fields) -> tuple[KeyPoints, bool, int]:
    """Read all fields before the index: key points without points, whether they have amplitudes, and the
    factor of the base.
    """
    method, axes = fields.text(), fields.text()
    if not axes or not axes.isalpha() or len(set(axes)) < len(axes) or axes.removesuffix("C")[-2:] != "YX":
        raise ValueError(f"its axes are {axes!r}; expected each once, and Y and X last but for C")
    shape = tuple(fields.number(LONGEST) for _ in axes)
    if 0 in shape:
        raise ValueError("it has no pixels")
    dtype = {np.dtype(name).itemsize: name for name in DTYPES}.get(fields.number(255))
    if dtype is None:
        raise ValueError(f"its pixels are of an unknown type; expected {' or '.join(DTYPES)}")
    sizes = None
    if fields.number(1):
        known = fields.floats("<f8", sum(axis in SPACE for axis in axes))
        if (known <= 0).any() or np.isinf(known).any():
            raise ValueError("a size of its pixels is not above 0")
        sizes = tuple(None if math.isnan(size) else float(size) for size in known)
    kernel = _kernel(fields)
    channels = shape[-1] if axes.endswith("C") else 1
    if channels > fields.left:
        raise ValueError("its header ends too early")
    offset, step = fields.floats("<f8", channels), fields.floats("<f8", channels)
    highest = np.iinfo(dtype).max
    limits = np.array([fields.number(highest) for _ in range(2 * channels)]).reshape(channels, 2)
    if not np.isfinite([offset, step]).all() or (limits[:, 0] > limits[:, 1]).any():
        raise ValueError("its intensities are not finite, or its limits are not in order")
    has_amplitudes, factor = bool(fields.number(1)), fields.number(MOST_FACTOR)
    if factor & (factor - 1):
        raise ValueError(f"its base is {factor} times smaller; expected a power of two")
    described = KeyPoints(
        method=method,
        axes=axes,
        shape=shape,
        dtype=dtype,
        positions=np.zeros((0, len(axes.removesuffix("C"))), np.int64),
        amplitudes=np.zeros((0, channels), np.int32) if has_amplitudes else None,
        kernel=kernel,
        offset=offset,
        step=step,
        limits=limits,
        pixel_size=sizes,
    )
    return described, has_amplitudes, factor


def _kernel(fields: _Fields) -> Kernel:
    name, norm, radius = fields.text(), NORMS[fields.number(1)], fields.number(SIZES[-1] // 2)
    numbers = [fields.number(MOST_UNITS) for _ in range((radius + 1) ** 2)]
    quarter = (np.reshape(numbers, (radius + 1, radius + 1)) * UNIT).astype(np.float32)
    half = np.concatenate([quarter[:0:-1], quarter])
    return Kernel(name, norm, np.concatenate([half[:, :0:-1], half], axis=1))


def _quarter(values: np.ndarray) -> np.ndarray:
    """Give the lower right quarter of a kernel, with the middle row and column, in its units: int64."""
    if not np.array_equal(values, values[::-1]) or not np.array_equal(values, values[:, ::-1]):
        raise ValueError("a kernel that is not its own mirror image cannot be written")
    middle = len(values) // 2
    units = values[middle:, middle:] / np.float64(UNIT)
    if (units != np.rint(units)).any() or (units > MOST_UNITS).any():
        raise ValueError(f"a kernel whose values are not multiples of {UNIT} up to 255 cannot be written")
    return units.astype(np.int64)


def _text(word: str) -> bytes:
    return varints([len(word)]) + word.encode("ascii")


def _group_counts(grid: tuple[int, ...]) -> tuple[int, ...]:
    """Count groups along each axis: planes by themselves."""
    return (*grid[:-2], *(-(-side // GROUP) for side in grid[-2:]))


@dataclass(frozen=True)
class _Blocks:
    """The blocks of one group, in C order.

    Attributes
    ----------
    corners : np.ndarray
        (B, 2) int64, the first row and column of each.
    widths, areas : np.ndarray
        (B,) int64, in pixels; those at the image's end are cut off.
    across : int
        How many of them are side by side.
    """

    corners: np.ndarray
    widths: np.ndarray
    areas: np.ndarray
    across: int

    @classmethod
    def of_group(cls, group: Sequence[int], grid: Sequence[int]) -> _Blocks:
        """Cut a group, given by its place among all groups, into its blocks."""
        starts, lengths = [], []
        for number, side in zip(group[-2:], grid[-2:], strict=True):
            start = np.arange(number * GROUP, min((number + 1) * GROUP, side), BLOCK)
            starts.append(start)
            lengths.append(np.minimum(start + BLOCK, side) - start)
        corners = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, 2)
        heights, widths = lengths
        return cls(corners, np.tile(widths, len(heights)), np.outer(heights, widths).ravel(), len(widths))

    def places(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the block of each pixel, and its place there in C order."""
        blocks = rows % GROUP // BLOCK * self.across + columns % GROUP // BLOCK
        down, right = np.stack([rows, columns]) - self.corners[blocks].T
        return blocks, down * self.widths[blocks] + right

    def pixels(self, blocks: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Find rows and columns (N, 2) of places in blocks."""
        return np.stack(np.divmod(places, self.widths[blocks]), axis=1) + self.corners[blocks]


def _groups(points: KeyPoints) -> Iterator[bytes]:
    """Write the points of one group after the other."""
    counts = _group_counts(points.grid)
    *planes, rows, columns = points.positions.T
    groups = np.ravel_multi_index((*planes, rows // GROUP, columns // GROUP), counts)
    order = np.lexsort((columns, rows, columns // BLOCK, rows // BLOCK, groups))
    ends = np.searchsorted(groups[order], np.arange(math.prod(counts) + 1))
    for number, (start, stop) in enumerate(itertools.pairwise(ends)):
        chosen = order[start:stop]
        cut = _Blocks.of_group(np.unravel_index(number, counts), points.grid)
        blocks, places = cut.places(rows[chosen], columns[chosen])
        values = None if points.amplitudes is None else points.amplitudes[chosen]
        yield point_coding.encode(cut.areas, blocks, places, values)
