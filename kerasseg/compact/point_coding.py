"""Points of one group of blocks as bytes: gaps as Rice codes, amplitudes deflated.

A block is a rectangle of at most 64 x 64 pixels, and a point's place is its number there in C order. Places
are uniformly spread at worst, so that the gaps between them are geometrically distributed, for which the
Rice code whose parameter follows from the mean is within 2 to 4 % of the entropy (Golomb 1966,
doi:10.1109/TIT.1966.1053907; Rice and Plaunt 1971, doi:10.1109/TCOM.1971.1090789). The mean is known from the
block's count. ``docs/keypoints.md`` describes every byte.
"""

from __future__ import annotations

import itertools
import zlib

import numpy as np

RAW_DEFLATE = -15  # zlib's word for deflate without zlib's own header and checksum
MOST_DIGITS = 5  # of a varint of 32 bits


def encode(areas: np.ndarray, blocks: np.ndarray, places: np.ndarray, amplitudes: np.ndarray | None) -> bytes:
    """Write the points of a group; nothing where there is none.

    Parameters
    ----------
    areas : np.ndarray
        (B,) int64, pixels of each block.
    blocks, places : np.ndarray
        (N,) int64: the block of each point and its place there, sorted by both.
    amplitudes : np.ndarray or None
        (N, C) int32.
    """
    if not len(places):
        return b""
    counts = np.bincount(blocks, minlength=len(areas))
    dense = 2 * counts > areas
    blocks, places = _complemented(areas, blocks, places, dense)
    written = np.where(dense, areas - counts, counts)
    bits = _remainder_bits(areas, written)[blocks]
    gaps = np.diff(places, prepend=-1) - 1
    first = np.diff(blocks, prepend=-1) != 0
    gaps[first] = places[first]
    ones = np.cumsum((gaps >> bits) + 1) - 1
    unary = np.zeros(ones[-1] + 1 if len(ones) else 0, np.uint8)
    unary[ones] = 1
    starts = np.cumsum(bits) - bits
    remainders = np.zeros(bits.sum(), np.uint8)
    for digit in range(bits.max(initial=0)):
        has = bits > digit
        remainders[starts[has] + digit] = (gaps[has] >> (bits[has] - 1 - digit)) & 1
    packed = np.packbits(unary).tobytes()
    positions = varints(counts) + varints([len(packed)]) + packed + np.packbits(remainders).tobytes()
    return positions + (b"" if amplitudes is None else _deflated(amplitudes))


def decode(
    content: bytes, areas: np.ndarray, channels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Read what `encode` wrote.

    Parameters
    ----------
    content : bytes
        Of one group; it may be anything.
    areas : np.ndarray
        (B,) int64.
    channels : int
        Amplitudes of a point; 0 where there are none.

    Returns
    -------
    blocks, places, amplitudes
        As `encode` takes them.

    Raises
    ------
    ValueError
        If the bytes are not exactly those of such points. Memory is bounded by the pixels of the group.
    """
    if not content:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, np.zeros((0, channels), np.int32) if channels else None
    counts, content = first_varints(content, len(areas))
    if not counts.any() or (counts > areas).any():
        raise ValueError("a block has more points than pixels")
    dense = 2 * counts > areas
    written = np.where(dense, areas - counts, counts)
    blocks = np.repeat(np.arange(len(areas)), written)
    bits = _remainder_bits(areas, written)[blocks]
    (length,), content = first_varints(content, 1)
    if 8 * length > areas.sum() + 7:
        raise ValueError("the gaps of a group reach beyond its pixels")
    unary, content = _bits(content, int(length))
    ones = np.flatnonzero(unary)
    if len(ones) != len(blocks) or len(unary) != 8 * -(-int(ones.max(initial=-1) + 1) // 8):
        raise ValueError("the gaps of a group are not as many as its points")
    gaps = (np.diff(ones, prepend=-1) - 1) << bits
    remainders, content = _bits(content, -(-int(bits.sum()) // 8))
    if remainders[bits.sum() :].any():
        raise ValueError("there are bits after the last gap of a group")
    starts = np.cumsum(bits) - bits
    for digit in range(bits.max(initial=0)):
        has = bits > digit
        gaps[has] |= remainders[starts[has] + digit].astype(np.int64) << (bits[has] - 1 - digit)
    places = np.cumsum(gaps + 1) - 1
    before = np.cumsum(written) - written  # points of earlier blocks
    reached = np.concatenate([[0], places + 1])[before]
    places -= reached[blocks]
    if (places >= areas[blocks]).any():
        raise ValueError("a point lies outside its block")
    blocks, places = _complemented(areas, blocks, places, dense)
    if channels:
        return blocks, places, _inflated(content, len(places), channels)
    if content:
        raise ValueError("there are bytes after the last point of a group")
    return blocks, places, None


def varints(numbers: np.ndarray | list[int]) -> bytes:
    """Write numbers from 0 to 2^63 - 1 as unsigned LEB128: seven bits a byte, lowest first."""
    left = np.asarray(numbers, np.int64)
    digits, more = [], []
    while True:
        digits.append((left & 127).astype(np.uint8))
        left = left >> 7
        more.append(left > 0)
        if not more[-1].any():
            break
    table, continued = np.stack(digits, axis=1), np.stack(more, axis=1)
    table[continued] |= 128
    there = np.concatenate([np.ones((len(table), 1), bool), continued[:, :-1]], axis=1)
    return table[there].tobytes()


def first_varints(content: bytes, count: int) -> tuple[np.ndarray, bytes]:
    """Read so many varints of at most 32 bits; give them as (count,) int64, and the bytes after them.

    Raises
    ------
    ValueError
        If there are fewer, or one is longer than it need be.
    """
    head = np.frombuffer(content[: count * MOST_DIGITS], np.uint8)
    last = np.flatnonzero(head < 128)[:count]
    lengths = np.diff(last, prepend=-1)
    if len(last) < count or (lengths > MOST_DIGITS).any() or ((lengths > 1) & (head[last] == 0)).any():
        raise ValueError("a number is cut off, or longer than it need be")
    used = int(last[-1]) + 1 if count else 0
    starts = last - lengths + 1
    digit = np.arange(used) - np.repeat(starts, lengths)
    values = np.add.reduceat((head[:used] & 127).astype(np.int64) << (7 * digit), starts) if count else last
    return values, content[used:]


def _remainder_bits(areas: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Give each block's Rice parameter: the binary logarithm of its mean gap, rounded down; 0 below 1."""
    mean_gap = (areas - counts) // np.maximum(counts, 1)
    return np.maximum(np.frexp(mean_gap)[1] - 1, 0).astype(np.int64)


def _complemented(
    areas: np.ndarray, blocks: np.ndarray, places: np.ndarray, dense: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take, in dense blocks, the pixels without a point instead of those with one; the same undoes it."""
    if not dense.any():
        return blocks, places
    ends = np.searchsorted(blocks, np.arange(len(areas) + 1))
    each = [places[start:stop] for start, stop in itertools.pairwise(ends)]
    each = [np.delete(np.arange(areas[n]), each[n]) if dense[n] else each[n] for n in range(len(areas))]
    return np.repeat(np.arange(len(areas)), list(map(len, each))), np.concatenate(each)


def _bits(content: bytes, length: int) -> tuple[np.ndarray, bytes]:
    """Take bytes as single bits, the highest first; and give the bytes after them."""
    if length > len(content):
        raise ValueError("a group is cut off")
    return np.unpackbits(np.frombuffer(content[:length], np.uint8)), content[length:]


def _deflated(amplitudes: np.ndarray) -> bytes:
    """Write amplitudes as zigzag varints, channel after channel: 0, -1, 1, -2, 2 become 0, 1, 2, 3, 4.

    Deflate's Huffman codes alone are often shorter, as neighbours in the list have little in common.
    """
    signed = amplitudes.T.ravel().astype(np.int64)
    content = varints((signed << 1) ^ (signed >> 63))
    ways = (zlib.compressobj(9, zlib.DEFLATED, RAW_DEFLATE, 9, way) for way in (zlib.Z_HUFFMAN_ONLY, 0))
    return min((way.compress(content) + way.flush() for way in ways), key=len)


def _inflated(content: bytes, count: int, channels: int) -> np.ndarray:
    """Read amplitudes (count, channels) int32 back; never inflated beyond what they can take."""
    inflater = zlib.decompressobj(RAW_DEFLATE)
    try:
        numbers = inflater.decompress(content, count * channels * MOST_DIGITS + 1)
    except zlib.error as error:
        raise ValueError(f"amplitudes cannot be inflated: {error}") from error
    if not inflater.eof or inflater.unused_data:
        raise ValueError("the amplitudes of a group end too early or too late")
    zigzag, rest = first_varints(numbers, count * channels)
    if rest or (zigzag >> 32).any():
        raise ValueError("the amplitudes of a group are not as many as its points")
    return ((zigzag >> 1) ^ -(zigzag & 1)).astype(np.int32).reshape(channels, count).T
