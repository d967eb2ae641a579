"""Files of key points: what is written is read again, by region too; what is broken is refused."""

import io
import math
import struct
import tracemalloc
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseg.compact import keypoints_file
from kerasseg.compact.kernels import gaussian, mean, pixel, psf
from kerasseg.compact.keypoints import Base, Kernel, KeyPoints
from kerasseg.compact.keypoints_file import KeyPointsFile
from kerasseg.compact.rebuilding import rebuild
from kerasseg.errors import UserError

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "keypoints.md"
CROSS = np.array([[0, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 0]], np.float32)


def key_points(shape, axes, present, *, grey=True, base=0, seed=0, dtype="uint8", sizes=False):
    """Draw key points; `present` (the grid's shape) says where."""
    random = np.random.default_rng(seed)
    channels = shape[-1] if axes.endswith("C") else 1
    positions = np.argwhere(present).astype(np.int64)
    small = None
    if base:
        *planes, height, width = present.shape
        small_shape = (*planes, -(-height // base), -(-width // base), *shape[present.ndim :])
        pixels = random.integers(0, np.iinfo(dtype).max, small_shape).astype(dtype)
        small = Base.encode(base, pixels, channels=axes.endswith("C"))
    space = [axis for axis in axes if axis in "ZYX"]
    return KeyPoints(
        method="hybrid" if base else "pursuit",
        axes=axes,
        shape=tuple(shape),
        dtype=dtype,
        positions=positions,
        amplitudes=random.integers(-9, 9, (len(positions), channels)).astype(np.int32) if grey else None,
        kernel=Kernel("gaussian", "peak", CROSS),
        offset=np.full(channels, 3.5),
        step=np.full(channels, 0.25),
        limits=np.tile([0, np.iinfo(dtype).max], (channels, 1)),
        base=small,
        pixel_size=tuple(None if axis == "Z" else 0.1 for axis in space) if sizes else None,
    )


def decoded(content):
    return KeyPointsFile.of_bytes(content).points()


@pytest.mark.parametrize("share", [0, 0.02, 0.6, 1])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((1, 1), "YX"),
        ((1, 700), "YX"),
        ((600, 1), "YX"),
        ((70, 65), "YX"),
        ((530, 1030), "YX"),
        ((33, 40, 3), "YXC"),
        ((3, 20, 70), "ZYX"),
        ((2, 2, 9, 66, 2), "TZYXC"),
    ],
)
def test_what_is_written_is_read(shape, axes, share):
    grid = shape[: len(axes.removesuffix("C"))]
    present = np.random.default_rng(1).random(grid) < share
    for options in ({}, {"grey": False}, {"base": 8, "sizes": True}, {"base": 4, "dtype": "uint16"}):
        points = key_points(shape, axes, present, **options)
        assert decoded(keypoints_file.encode(points)) == points


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_points_are_read_as_written(data):
    grid = tuple(data.draw(st.lists(st.integers(1, 90), min_size=2, max_size=3)))
    many = data.draw(st.sets(st.integers(0, math.prod(grid) - 1), max_size=40))
    present = np.isin(np.arange(math.prod(grid)), list(many)).reshape(grid)
    points = key_points(grid, "ZYX"[-len(grid) :], present, grey=data.draw(st.booleans()))
    amplitudes = points.amplitudes
    if amplitudes is not None:
        amplitudes[:] = data.draw(st.integers(-(2**31), 2**31 - 1))
    assert decoded(keypoints_file.encode(points)) == points


def test_a_region_has_the_points_that_reach_into_it_and_reads_no_other_group():
    present = np.random.default_rng(0).random((1100, 1700)) < 0.01
    points = key_points(present.shape, "YX", present)
    content = bytearray(keypoints_file.encode(points))
    whole = KeyPointsFile.of_bytes(bytes(content))
    for section in whole._sections[1:]:  # all but the first group are spoilt
        content[section.start] ^= 255
    region = (slice(100, 300), slice(0, 511))
    file = KeyPointsFile.of_bytes(bytes(content))
    near = (points.positions >= (99, 0)) & (points.positions < (301, 512))
    near = near.all(axis=1)
    read = file.points(region)
    assert np.array_equal(read.positions, points.positions[near])
    assert np.array_equal(read.amplitudes, points.amplitudes[near])
    assert read.shape == points.shape
    with pytest.raises(UserError, match="not as written"):
        file.points((slice(100, 300), slice(0, 512)))  # the kernel reaches into the second group
    with pytest.raises(UserError, match="damaged"):
        file.points()


@pytest.mark.parametrize(
    ("side", "share"), [(512, 0.01), (512, 0.03), (512, 0.05), (512, 0.22), (1024, 0.05)]
)
def test_positions_take_at_most_five_per_cent_more_than_their_entropy(side, share):
    pixels = side * side
    count = round(share * pixels)
    present = np.zeros(pixels, bool)
    present[np.random.default_rng(0).choice(pixels, count, replace=False)] = True
    points = key_points((side, side), "YX", present.reshape(side, side), grey=False)
    entropy = (math.lgamma(pixels + 1) - math.lgamma(count + 1) - math.lgamma(pixels - count + 1)) / (
        8 * math.log(2)
    )
    written = len(keypoints_file.encode(points))
    empty = len(
        keypoints_file.encode(key_points((side, side), "YX", np.zeros((side, side), bool), grey=False))
    )
    assert written - empty < 1.05 * entropy
    assert written > entropy
    if (side, share) == (512, 0.05):
        assert entropy == pytest.approx(9384, abs=1)
        assert written <= 9900


def wholes():
    """Files of all kinds: grey, binary, in a stack with a base, with channels, and without points."""
    random = np.random.default_rng(5)
    return [
        key_points((40, 90), "YX", random.random((40, 90)) < 0.05),
        key_points((70, 70), "YX", random.random((70, 70)) < 0.5, grey=False, sizes=True),
        key_points((2, 30, 40), "ZYX", random.random((2, 30, 40)) < 0.03, base=8),
        key_points((30, 40, 2), "YXC", random.random((30, 40)) < 0.03, dtype="uint16"),
        key_points((5, 5), "YX", np.zeros((5, 5), bool)),
    ]


def broken(content, random):
    """Break a file in one of the ways that disks, networks and people do."""
    way, length = random.integers(6), len(content)
    place = int(random.integers(length))
    spoilt = bytearray(content)
    if way == 0:  # one bit
        spoilt[place] ^= 1 << int(random.integers(8))
    elif way == 1:
        del spoilt[place:]
    elif way == 2:
        spoilt += random.bytes(int(random.integers(1, 40)))
    elif way == 3:
        del spoilt[place : place + int(random.integers(1, 9))]
    elif way == 4:
        spoilt[place:place] = random.bytes(int(random.integers(1, 9)))
    else:
        spoilt[place : place + 40] = random.bytes(len(spoilt[place : place + 40]))
    return bytes(spoilt)


def test_ten_thousand_broken_files_are_each_refused_and_none_is_an_image():
    random, tried = np.random.default_rng(0), 0
    for content in map(keypoints_file.encode, wholes()):
        for _ in range(2100):
            if (spoilt := broken(content, random)) == content:
                continue
            tried += 1
            with pytest.raises(UserError, match=r"^key points: this file of key points is damaged, or none"):
                decoded(spoilt)
    assert tried > 10_000


def sealed(spoilt, original):
    """Give spoilt bytes the checksums that they ought to have, as someone would who means harm."""
    file = KeyPointsFile.of_bytes(original)
    header = file._sections[0].start if file._sections else len(original)
    body, rest = bytearray(spoilt[: header - 4]), spoilt[header:]
    for section in file._sections:
        if section.length:
            start = section.start - header
            checksum = struct.pack("<I", zlib.crc32(rest[start : start + section.length]))
            former = struct.pack("<I", section.checksum)
            if (place := body.find(former)) >= 0:
                body[place : place + 4] = checksum
    return bytes(body) + struct.pack("<I", zlib.crc32(body)) + rest


def test_lies_with_true_checksums_end_in_a_message_or_in_points_within_the_image():
    random = np.random.default_rng(1)
    refused = read = 0
    for content in map(keypoints_file.encode, wholes()):
        for _ in range(500):
            spoilt = bytearray(content)
            for _ in range(int(random.integers(1, 4))):
                spoilt[int(random.integers(9, len(content)))] = int(random.integers(256))
            try:
                points = decoded(sealed(bytes(spoilt), content))
            except UserError:
                refused += 1
                continue
            read += 1
            assert (points.positions >= 0).all()
            assert (points.positions < points.grid).all()
            numbers = np.ravel_multi_index(points.positions.T, points.grid)
            assert (np.diff(numbers) > 0).all()
            with np.errstate(all="ignore"):  # steps may be what no image has
                assert rebuild(points).shape == points.shape
    assert refused > 400
    assert read > 50


def test_no_broken_file_takes_more_memory_than_its_pixels():
    random = np.random.default_rng(2)
    tracemalloc.start()
    for content in map(keypoints_file.encode, wholes()):
        for _ in range(40):
            for spoilt in (broken(content, random), sealed(broken(content, random), content)):
                with suppress(UserError):
                    decoded(spoilt)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_a_small_file_cannot_stand_for_an_endless_image():
    small = replace(key_points((5, 5), "YX", np.zeros((5, 5), bool)), shape=(2**31, 2**31))
    body = keypoints_file._described(small) + bytes(1)
    head = keypoints_file.MAGIC + keypoints_file.varints([1, len(body)]) + body
    with pytest.raises(UserError, match="its index is shorter than its image"):
        KeyPointsFile(io.BytesIO(head + struct.pack("<I", zlib.crc32(head))), "bomb.kpt")


@pytest.mark.parametrize(
    ("values", "message"),
    [(np.tri(3), "not its own mirror image"), (np.full((3, 3), 0.1), "multiples"), ([[256]], "up to 255")],
)
def test_a_kernel_that_the_format_cannot_hold_is_not_written(values, message):
    points = key_points((5, 5), "YX", np.ones((5, 5), bool))
    strange = replace(points, kernel=Kernel("gaussian", "peak", np.array(values, np.float32)))
    with pytest.raises(ValueError, match=message):
        keypoints_file.encode(strange)


@pytest.mark.parametrize(
    "kernel", [gaussian(1.5, 9), gaussian(1, 5, "sum"), psf(0.5, 1.4, 0.1), mean(), pixel()]
)
def test_kernels_are_read_to_the_last_bit(kernel):
    points = replace(key_points((5, 5), "YX", np.ones((5, 5), bool)), kernel=kernel)
    assert decoded(keypoints_file.encode(points)).kernel == kernel


@pytest.mark.parametrize(("shape", "axes"), [((700, 1100), "YX"), ((2, 90, 530, 2), "ZYXC")])
def test_a_region_is_rebuilt_as_it_is_in_the_whole(shape, axes):
    grid = shape[: len(axes.removesuffix("C"))]
    present = np.random.default_rng(2).random(grid) < 0.02
    points = replace(key_points(shape, axes, present, base=8), kernel=gaussian(1.5, 7))
    file = KeyPointsFile.of_bytes(keypoints_file.encode(points))
    whole = rebuild(points)
    for region in ((slice(30, 80), slice(500, 530)), (slice(0, 90), slice(0, 1))):
        region = (slice(0, 1),) * (len(grid) - 2) + region
        assert np.array_equal(rebuild(file.points(region), region), whole[region])


def test_other_files_are_refused_by_name(tmp_path):
    with pytest.raises(UserError, match=r"a\.kpt: there is no such file"):
        keypoints_file.read(tmp_path / "a.kpt")
    (tmp_path / "b.kpt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    with pytest.raises(UserError, match=r"b\.kpt: .* does not begin as a file of key points does"):
        keypoints_file.read(tmp_path / "b.kpt")


def test_a_file_appears_whole(tmp_path):
    points = wholes()[0]
    keypoints_file.write(tmp_path / "a.kpt", points)
    assert [path.name for path in tmp_path.iterdir()] == ["a.kpt"]
    assert keypoints_file.read(tmp_path / "a.kpt") == points
