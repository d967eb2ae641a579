"""Run lengths: which pixels belong to an object, as the runs in which they lie.

Two notations are common. **Runs** (Kaggle) are pairs of where a run starts and how long it is: row by row in
Sartorius, column by column in the Data Science Bowl, from 1 in both. **Counts** (COCO) are lengths alone,
column by column, background first; COCO squeezes them into a string.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kerasseg.errors import UserError

_CHUNK, _MORE, _SIGN, _FIRST = 5, 0x20, 0x10, 48  # COCO's strings: 5 bits a character, counted from "0"


def encode_labels(labels: np.ndarray) -> dict[int, list[int]]:
    """Write all instances as runs, row by row from 1, in one pass over the image.

    Parameters
    ----------
    labels : numpy.ndarray, shape (Y, X), integer
        Instance ids; 0 is background.

    Returns
    -------
    dict of int to list of int
        Start, length, start, length, ... by instance id, in the order of the ids.
    """
    flat = labels.ravel()
    edges = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]])
    ids = flat[edges[:-1]]
    runs = np.stack([edges[:-1] + 1, np.diff(edges)], axis=1)[ids > 0]
    by_id = np.argsort(ids[ids > 0], kind="stable")
    distinct, first = np.unique(ids[ids > 0][by_id], return_index=True)
    pieces = np.split(runs[by_id], first[1:])
    return {int(number): piece.ravel().tolist() for number, piece in zip(distinct, pieces, strict=False)}


def decode(
    runs: str | Sequence[int], size: tuple[int, int], order: str = "row", name: str = "runs"
) -> np.ndarray:
    """Draw runs.

    Parameters
    ----------
    runs : str or sequence of int
        Start, length, start, length, ...; a string has spaces between. Pixels count from 1.
    order : {"row", "column"}
        Along what pixels are counted.

    Returns
    -------
    numpy.ndarray, shape (Y, X), bool

    Raises
    ------
    UserError
        If the runs are odd in number, not whole numbers, outside the image, not in order, or overlap.
    """
    mask = np.zeros(size, bool)
    mask.ravel()[pixels(runs, size, order, name)] = True
    return mask


def pixels(
    runs: str | Sequence[int], size: tuple[int, int], order: str = "row", name: str = "runs"
) -> np.ndarray:
    """List the pixels of runs, int64 (N,), to draw many into one image: ``labels.ravel()[pixels(...)] = id``.

    See :func:`decode`, which draws one.
    """
    numbers = _whole_numbers(runs, name)
    if numbers.size % 2:
        raise UserError(f"{name}: {numbers.size} numbers; expected pairs of start and length")
    starts, lengths = numbers[0::2] - 1, numbers[1::2]
    _check_runs(starts, lengths, size[0] * size[1], name)
    along = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    if order == "row":
        return along
    columns, rows = np.divmod(along, size[0])
    return rows * size[1] + columns


def box_counts(mask: np.ndarray, corner: tuple[int, int], size: tuple[int, int]) -> list[int]:
    """Write what lies in a box as COCO's uncompressed counts of the whole image, at the cost of the box.

    Parameters
    ----------
    mask : numpy.ndarray, shape (Y, X), bool
        The pixels in the box.
    corner : tuple of int
        Row and column of the box's first pixel.

    Returns
    -------
    list of int
        Lengths of background, object, background, ... column by column.
    """
    rows = np.flatnonzero(np.any(mask, axis=1))
    if not rows.size:
        return [size[0] * size[1]]
    top, height = rows[0], rows[-1] + 1 - rows[0]
    mask = mask[top : top + height]
    columns = np.flatnonzero(np.any(mask, axis=0))
    left, width = columns[0], columns[-1] + 1 - columns[0]
    lines = np.zeros((width, 1 + height), bool)  # background before the first pixel of each column
    lines[:, 1:] = mask[:, left : left + width].T
    flat = np.append(lines, False)
    across, down = np.divmod(np.flatnonzero(flat[1:] != flat[:-1]), 1 + height)
    edges = (corner[1] + left + across) * size[0] + corner[0] + top + down
    if height == size[0]:  # a run may go on in the next column
        meet = np.append(edges[1:] == edges[:-1], False)
        edges = edges[~(meet | np.roll(meet, 1))]
    lengths = np.diff(edges, prepend=0, append=size[0] * size[1]).tolist()
    return lengths if lengths[-1] else lengths[:-1]


def from_counts(counts: Sequence[int], size: tuple[int, int], name: str = "counts") -> np.ndarray:
    """Draw COCO's uncompressed counts.

    Parameters
    ----------
    counts : sequence of int
        Lengths of background, object, background, ... column by column.

    Returns
    -------
    numpy.ndarray, shape (Y, X), bool

    Raises
    ------
    UserError
        If the counts are not whole numbers, negative, or do not add up to the image.
    """
    lengths = _whole_numbers(counts, name)
    if (lengths < 0).any() or lengths.sum() != size[0] * size[1]:
        raise UserError(
            f"{name}: the counts add up to {lengths.sum()} pixels; "
            f"expected {size[0]} x {size[1]} = {size[0] * size[1]}, and none negative"
        )
    values = np.arange(lengths.size) % 2 == 1
    return np.repeat(values, lengths).reshape(size, order="F")


def compress(counts: Sequence[int]) -> str:
    """Squeeze counts into COCO's string, the same that pycocotools writes.

    From the fourth on a count is written as its difference to the one before the last. A number is written in
    groups of five bits, lowest first; a sixth bit says that more follow.
    """
    numbers = np.array(counts, np.int64)
    numbers[3:] -= numbers[1:-2].copy()
    size = numbers ^ (numbers >> 63)  # a negative number is as long as its complement
    groups = np.arange(0, int(size.max(initial=0)).bit_length() + 1, _CHUNK)[:, np.newaxis]
    more = size >> (groups + _CHUNK - 1) > 0  # after each group, as one bit of it is the sign
    characters = ((numbers >> groups) & (_MORE - 1)) + _MORE * more + _FIRST
    written = np.concatenate([np.ones((1, numbers.size), bool), more[:-1]])
    return characters.T[written.T].astype(np.uint8).tobytes().decode("ascii")


def decompress(text: str, name: str = "counts") -> list[int]:
    """Read the counts from COCO's string.

    Raises
    ------
    UserError
        If the string holds other characters than COCO's, or ends within a number.
    """
    codes = np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int64) - _FIRST
    if codes.size and (codes.min() < 0 or codes.max() >= 2 * _MORE or codes[-1] & _MORE):
        raise UserError(f"{name}: {text[:20]!r}... is not a COCO run-length string; it is damaged or cut off")
    ends = np.flatnonzero(codes & _MORE == 0)
    firsts = np.concatenate([[0], ends[:-1] + 1])[: ends.size]
    shifts = _CHUNK * (np.arange(codes.size) - np.repeat(firsts, ends - firsts + 1))
    numbers = np.add.reduceat((codes & (_MORE - 1)) << shifts, firsts) if codes.size else codes
    numbers = numbers - np.where(codes[ends] & _SIGN, 1 << (shifts[ends] + _CHUNK), 0)
    for parity in (1, 2):
        numbers[parity::2] = np.cumsum(numbers[parity::2])
    return numbers.tolist()


def _whole_numbers(runs: str | Sequence[int], name: str) -> np.ndarray:
    """Read whole numbers, and nothing that merely looks like them."""
    words = runs.split() if isinstance(runs, str) else list(runs)
    try:
        numbers = np.array([int(word) for word in words], np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{name}: run lengths are whole numbers; got {_shorten(words)} ({error})") from error
    if not isinstance(runs, str) and any(number != word for number, word in zip(numbers, words, strict=True)):
        raise UserError(f"{name}: run lengths are whole numbers; got {_shorten(words)}")
    return numbers


def _check_runs(starts: np.ndarray, lengths: np.ndarray, total: int, name: str) -> None:
    """Say what is wrong with the first run that is wrong."""
    ends = starts + lengths
    overlapping = np.concatenate([[False], starts[1:] < ends[:-1]])
    wrong = {
        "is not at least one pixel long": lengths < 1,
        f"lies outside the image of {total} pixels": (starts < 0) | (ends > total),
        "begins before the run before it ends": overlapping,
    }
    for problem, where in wrong.items():
        if where.any():
            run = int(np.argmax(where))
            raise UserError(f"{name}: run {run + 1} ({starts[run] + 1} {lengths[run]}) {problem}")


def _shorten(words: Sequence) -> str:
    return " ".join(map(str, words[:6])) + (" ..." if len(words) > 6 else "")
