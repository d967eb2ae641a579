"""`docs/keypoints.md` is enough to read a file of key points: here is a reader that knows nothing else."""

import itertools
import math
import re
import struct
import zlib
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest

from kerasseg.compact import keypoints_file
from kerasseg.compact.kernels import gaussian
from kerasseg.compact.keypoints import Base, KeyPoints
from kerasseg.compact.rebuilding import rebuild

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "keypoints.md"


class Reader:
    """Reads fields of the document, one after the other."""

    def __init__(self, content):
        self.content, self.place = content, 0

    def take(self, length):
        self.place += length
        assert self.place <= len(self.content)
        return self.content[self.place - length : self.place]

    def number(self):
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value += (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def text(self):
        return self.take(self.number()).decode("ascii")

    def float(self):
        return struct.unpack("<d", self.take(8))[0]


def image_of(content):
    """Read a file and build its image, step by step as the document says."""
    file = Reader(content)
    assert file.take(8) == bytes.fromhex("894B50540D0A1A0A")
    assert file.number() == 1
    length = file.number()
    end = file.place + length
    _, axes = file.text(), file.text()
    shape = [file.number() for _ in axes]
    dtype = {1: np.uint8, 2: np.uint16}[file.take(1)[0]]
    if file.take(1)[0]:
        [file.float() for axis in axes if axis in "ZYX"]
    file.text()
    file.take(1)
    radius = file.number()
    quarter = [[file.number() / 65536 for _ in range(radius + 1)] for _ in range(radius + 1)]
    channels = shape[axes.index("C")] if "C" in axes else 1
    offset, step = ([file.float() for _ in range(channels)] for _ in range(2))
    limits = [(file.number(), file.number()) for _ in range(channels)]
    has_amplitudes, factor = file.take(1)[0], file.number()
    *planes, height, width = shape[: len(axes.rstrip("C"))]
    groups = list(
        itertools.product(*map(range, planes), range(0, height, 512), range(0, width, 512)),
    )
    index = []
    for _ in range(len(groups) + (factor > 0)):
        index.append((size := file.number(), struct.unpack("<I", file.take(4))[0] if size else 0))
    assert file.place == end
    assert struct.unpack("<I", file.take(4))[0] == zlib.crc32(content[:end])
    sections = []
    for size, checksum in index:
        sections.append(file.take(size))
        assert zlib.crc32(sections[-1]) == checksum
    assert file.place == len(content)

    values = np.zeros((channels, *planes, height, width))
    if factor:
        small = imagecodecs.jpegxl_decode(sections.pop(0))
        small = small.reshape(channels, *planes, -(-height // factor), -(-width // factor))
        for place in itertools.product(*map(range, small.shape[:-2])):
            large = cv2.resize(
                small[place].astype(np.float64), None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC
            )
            values[place] = large[:height, :width]
    sums = np.zeros_like(values)
    for group, section in zip(groups, sections, strict=True):
        for y, x, amplitudes in points_of(section, *group[-2:], height, width, channels * has_amplitudes):
            for down, right in itertools.product(range(-radius, radius + 1), repeat=2):
                if 0 <= y + down < height and 0 <= x + right < width:
                    weight = quarter[abs(down)][abs(right)]
                    sums[(slice(None), *group[:-2], y + down, x + right)] += weight * np.array(
                        amplitudes or 1
                    )
    for channel in range(channels):
        values[channel] += offset[channel] + step[channel] * sums[channel]
        values[channel] = np.rint(values[channel]).clip(*limits[channel])
    image = values.astype(dtype)
    return np.moveaxis(image, 0, -1) if "C" in axes else image[0]


def points_of(section, top, left, height, width, channels):
    """Yield y, x and the amplitudes of each point of a group."""
    if not section:
        return
    group = Reader(section)
    rows = range(top, min(top + 512, height), 64)
    columns = range(left, min(left + 512, width), 64)
    blocks = [(y, x, min(64, height - y), min(64, width - x)) for y in rows for x in columns]
    counts = [group.number() for _ in blocks]
    quotients = iter("".join(f"{byte:08b}" for byte in group.take(group.number())))
    written = [min(n, high * wide - n) for n, (_, _, high, wide) in zip(counts, blocks, strict=True)]
    bits = []
    for n, (_, _, high, wide) in zip(written, blocks, strict=True):
        mean = (high * wide - n) // n if n else 0
        bits.append(int(math.log2(mean)) if mean >= 2 else 0)
    size = sum(n * k for n, k in zip(written, bits, strict=True))
    remainders = iter("".join(f"{byte:08b}" for byte in group.take(-(-size // 8))))
    where = []
    for (y, x, high, wide), count, n, k in zip(blocks, counts, written, bits, strict=True):
        place, places = -1, []
        for _ in range(n):
            quotient = 0
            while next(quotients) == "0":
                quotient += 1
            place += 1 + quotient * 2**k + int("0" + "".join(next(remainders) for _ in range(k)), 2)
            places.append(place)
        if 2 * count > high * wide:
            places = sorted(set(range(high * wide)) - set(places))
        assert len(places) == count
        where += [(y + place // wide, x + place % wide) for place in places]
    numbers = Reader(zlib.decompress(section[group.place :], wbits=-15) if channels else b"")
    signed = [
        (zigzag // 2 if zigzag % 2 == 0 else -(zigzag + 1) // 2)
        for zigzag in (numbers.number() for _ in range(channels * len(where)))
    ]
    assert numbers.place == len(numbers.content)
    for number, (y, x) in enumerate(where):
        yield y, x, signed[number :: len(where)]


def test_the_documents_example_is_the_file_of_its_points_and_its_image():
    _, example = DOCUMENT.read_text(encoding="utf-8").split("This is a whole file")
    hexadecimal, pixels = re.findall(r"```\n(.*?)```", example, re.DOTALL)
    content = bytes.fromhex(hexadecimal)
    image = [list(map(int, row.split())) for row in pixels.splitlines()]
    assert image_of(content).tolist() == image
    points = keypoints_file.KeyPointsFile.of_bytes(content).points()
    assert rebuild(points).tolist() == image
    assert np.column_stack([points.positions, points.amplitudes]).tolist() == [
        [0, 1, 4],
        [2, 4, -1],
        [3, 0, 2],
    ]
    assert keypoints_file.encode(points) == content


@pytest.mark.parametrize(
    ("shape", "axes", "share", "factor"),
    [
        ((70, 530), "YX", 0.02, 0),
        ((66, 70), "YX", 0.7, 8),
        ((2, 20, 67), "ZYX", 0.05, 4),
        ((20, 30, 3), "YXC", 0.1, 2),
        ((5, 5), "YX", 0, 0),
        ((2, 2, 20, 18, 2), "TZYXC", 0.1, 8),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_the_document_is_enough_to_rebuild_an_image(shape, axes, share, factor, dtype):
    random = np.random.default_rng(3)
    grid = shape[: len(axes.rstrip("C"))]
    channels = shape[-1] if "C" in axes else 1
    highest = np.iinfo(dtype).max
    base = None
    if factor:
        *planes, height, width = grid
        small = (*planes, -(-height // factor), -(-width // factor), *shape[len(grid) :])
        base = Base.encode(factor, random.integers(0, highest, small).astype(dtype), channels="C" in axes)
    positions = np.argwhere(random.random(grid) < share)
    points = KeyPoints(
        method="hybrid",
        axes=axes,
        shape=shape,
        dtype=dtype,
        positions=positions,
        amplitudes=random.integers(-200, 200, (len(positions), channels)).astype(np.int32),
        kernel=gaussian(1.2, 7),
        offset=random.random(channels) * highest / 2,
        step=random.random(channels) * highest / 200,
        limits=np.tile([highest // 50, highest], (channels, 1)),
        base=base,
        pixel_size=(None,) * (len(grid) - 2 - ("T" in axes)) + (0.1, 0.2),
    )
    assert np.array_equal(image_of(keypoints_file.encode(points)), rebuild(points))
    binary = keypoints_file.encode(KeyPoints(**{**vars(points), "amplitudes": None}))
    assert np.array_equal(image_of(binary), rebuild(KeyPoints(**{**vars(points), "amplitudes": None})))
