"""Key points chosen one by one where they take most of what is left of an image: matching pursuit.

Two points touch where they lie within two radii of the kernel. So a pixel whose gain is the greatest of all
that it could touch can be chosen without looking further, and many are chosen at a time: a *pass* takes all
of these above a threshold, a *sweep* makes a few passes in every block of the image, and sweeps go on with
falling thresholds until there are points enough. A block is looked at with a rim as wide as its passes reach,
and all sums are exact (see `kerasseg.compact.kernels`): what is chosen does not depend on how the image is
cut. Between sweeps nothing is kept but the points, so memory is bounded by a block.

Mallat and Zhang 1993, doi:10.1109/78.258082.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from scipy import signal, sparse

from kerasseg.compact.field import Field
from kerasseg.compact.kernels import spread
from kerasseg.compact.keypoints import Kernel
from kerasseg.console import track
from kerasseg.images.stores.blocks import cuts

BLOCK = 512  # pixels along a side
PASSES = 8  # in each block, between two looks at the whole
FALL = 0.5  # of the threshold, from level to level
LEAST = 2.0**-20  # of the first gain, below which nothing is worth a point
AMPLITUDE_UNIT = 2.0**-12
STEPS = 30  # of the amplitudes' fit
SHOWN_FROM = 2**23  # pixels, from which progress is shown

Block = tuple[slice, slice]  # rows and columns


class Chosen(NamedTuple):
    """Points in the order in which they were chosen."""

    index: np.ndarray  # (N,) int64 in the flattened grid
    amplitude: np.ndarray  # (N, C) float64, in spans
    rank: np.ndarray  # (N,) int64, the number of the pass
    gain: np.ndarray  # (N,) float64

    def sorted(self, *keys: np.ndarray) -> Chosen:
        """Sort by the first key, then by the next."""
        return self.taken(np.lexsort(keys[::-1]))

    def first(self, count: int) -> Chosen:
        """Leave the first points."""
        return self.taken(slice(count))

    def taken(self, which: np.ndarray | slice) -> Chosen:
        """Leave some points, or sort them."""
        return Chosen(*(each[which] for each in self))


def pursue(field: Field, kernel: Kernel, count: int, *, amplitude: float | None = None) -> Chosen:
    """Choose points by what they take off the squared error, greatest first.

    Parameters
    ----------
    field : Field
    kernel : Kernel
    count : int
        The most points that are chosen; fewer where none is left that helps.
    amplitude : float, optional
        What every point has, in spans; default is the best for each point and channel, of either sign.

    Returns
    -------
    Chosen
        Greatest gain first: its first n points are those for a count of n.

    Notes
    -----
    With one `amplitude`, gains only fall, and the points are those of the greedy pursuit that chooses a
    single one at a time. Otherwise a gain may rise beside a point of the other sign; the passes then differ a
    little from that pursuit, but not from block to block.
    """
    pursuit = _Pursuit(field, kernel, amplitude)
    sweeps = _sweeps(pursuit, count)
    if math.prod(field.grid) > SHOWN_FROM:
        sweeps = track(sweeps, "choosing points", count, lambda chosen: min(len(chosen.index), count))
    *_, chosen = sweeps
    ranks = np.zeros_like(chosen.rank) if pursuit.in_order_of_gain else chosen.rank
    return chosen.sorted(ranks, -chosen.gain, chosen.index).first(count)


def _sweeps(pursuit: _Pursuit, count: int) -> Iterator[Chosen]:
    """Sweep with falling thresholds until there are points enough; give all, by index, after each sweep."""
    chosen = pursuit.nothing()
    yield chosen
    _, top = pursuit.sweep(chosen, np.inf, 0)
    threshold, passes = top * FALL, 0
    while threshold > top * LEAST:
        new, left = pursuit.sweep(chosen, threshold, passes)
        chosen = Chosen(*map(np.concatenate, zip(chosen, new, strict=True)))
        chosen = chosen.sorted(chosen.index)
        yield chosen
        passes += PASSES
        more = len(new.index) > 0 and new.rank.max() == passes - 1  # perhaps above this threshold
        if len(chosen.index) >= count and not (more and pursuit.in_order_of_gain):
            break
        threshold = threshold if more else min(threshold, left) * FALL


def fit(field: Field, kernel: Kernel, index: np.ndarray) -> np.ndarray:
    """Find the amplitudes of points, all together, that bring them nearest to the field.

    Parameters
    ----------
    field : Field
    kernel : Kernel
    index : numpy.ndarray
        (N,) int64 in the flattened grid, sorted.

    Returns
    -------
    numpy.ndarray
        (N, C) float64, in spans.

    Notes
    -----
    Least squares by Nesterov's accelerated gradient, as in FISTA (Beck and Teboulle 2009,
    doi:10.1137/080716542), each point having a step of its own. `STEPS` steps reach `STEPS` times two radii
    far: with a rim of that width, bands of rows give what the whole would.
    """
    pursuit = _Pursuit(field, kernel, None)
    products, overlaps = pursuit.products(index), pursuit.overlaps
    height, width = field.grid[-2:]
    rim, fitted = STEPS * overlaps.reach, np.empty_like(products)
    for number, rows in itertools.product(range(math.prod(field.grid[:-2])), cuts(height, BLOCK)):
        near = range(max(rows.start - rim, 0), min(rows.stop + rim, height))
        ends = [(number * height + row) * width for row in (near.start, rows.start, rows.stop, near.stop)]
        first, start, stop, last = np.searchsorted(index, ends)
        y, x = np.divmod(index[first:last] - ends[0], width)
        gram = overlaps.gram(y, x, near)
        fitted[start:stop] = _least_squares(gram, products[first:last])[start - first : stop - first]
    return fitted


def _least_squares(gram: sparse.csr_array, products: np.ndarray) -> np.ndarray:
    """Solve gram @ amplitudes = products in so many steps: (N, N) and (N, C) to (N, C)."""
    rate = 1 / np.maximum(abs(gram).sum(axis=1), 1e-12)[:, None]
    amplitudes = ahead = np.zeros_like(products)
    momentum = 1.0
    for _ in range(STEPS):
        before, momentum_before = amplitudes, momentum
        amplitudes = ahead + (products - gram @ ahead) * rate
        momentum = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        ahead = amplitudes + (momentum_before - 1) / momentum * (amplitudes - before)
    return amplitudes


class Overlaps:
    """Inner products of kernels, as far as they lie within a plane.

    Parameters
    ----------
    kernel : Kernel
    size : tuple of int
        Height and width of the plane, at least those of the kernel.
    """

    def __init__(self, kernel: Kernel, size: tuple[int, int]) -> None:
        values, side = kernel.values.astype(np.float64), len(kernel.values)
        self.radius, self.size = kernel.radius, size
        self.reach = 2 * kernel.radius
        self.tables = np.empty((side, side, 2 * self.reach + 1, 2 * self.reach + 1))
        for y, x in itertools.product(range(side), repeat=2):
            cut = np.zeros_like(values)
            rows, columns = (
                slice(max(self.radius - place, 0), side - max(place - self.radius, 0)) for place in (y, x)
            )
            cut[rows, columns] = values[rows, columns]
            self.tables[y, x] = signal.correlate2d(cut, values)

    def near(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Give the products of kernels at (N,) places with those around: (N, 4 r + 1, 4 r + 1)."""
        return self.tables[self._place(y, self.size[0]), self._place(x, self.size[1])]

    def energy(self, rows: slice, columns: slice) -> np.ndarray:
        """Give the products of kernels with themselves for a rectangle: (Y, X)."""
        own = self.tables[:, :, self.reach, self.reach]
        y, x = (
            self._place(np.arange(part.start, part.stop), length)
            for part, length in zip((rows, columns), self.size, strict=True)
        )
        return own[np.ix_(y, x)]

    def gram(self, y: np.ndarray, x: np.ndarray, rows: range) -> sparse.csr_array:
        """Give the products of all kernels at (N,) places in a band, in C order, with each other: (N, N).

        Rows of the places are counted from the band's first row.
        """
        numbers = np.full((len(rows) + 2 * self.reach, self.size[1] + 2 * self.reach), -1, np.int32)
        numbers[y + self.reach, x + self.reach] = np.arange(len(y))
        places = self._place(y + rows.start, self.size[0]), self._place(x, self.size[1])
        entries = []
        for dy, dx in itertools.product(range(2 * self.reach + 1), repeat=2):
            other = numbers[y + dy, x + dx]
            pairs = np.flatnonzero(other >= 0)
            values = self.tables[places[0][pairs], places[1][pairs], dy, dx]
            entries.append((values, pairs, other[pairs]))
        values, one, other = map(np.concatenate, zip(*entries, strict=True))
        return sparse.csr_array((values, (one, other)), shape=(len(y), len(y)))

    def _place(self, centre: np.ndarray, length: int) -> np.ndarray:
        """Tell how kernels lie: the radius where one lies inside, less near the start, more near the end."""
        after = length - 1 - centre
        return np.minimum(centre, self.radius) + np.maximum(self.radius - after, 0)


class _Pursuit:
    """Sweeps over the blocks of a field: see `pursue`."""

    def __init__(self, field: Field, kernel: Kernel, amplitude: float | None) -> None:
        self.field, self.kernel, self.amplitude = field, kernel, amplitude
        self.in_order_of_gain = amplitude is not None
        self.overlaps = Overlaps(kernel, field.grid[-2:])

    def nothing(self) -> Chosen:
        """No points."""
        none = np.zeros(0, np.int64)
        return Chosen(none, np.zeros((0, self.field.image.shape[-1])), none, np.zeros(0))

    def sweep(self, chosen: Chosen, threshold: float, first_pass: int) -> tuple[Chosen, float]:
        """Choose further points in all blocks, beside those sorted by index; tell the greatest gain left."""
        new, left = [self.nothing()], 0.0
        for plane, block in self._blocks():
            work = _Block(self, chosen, plane, block)
            new += work.passes(threshold, first_pass)
            left = max(left, work.left)
        return Chosen(*map(np.concatenate, zip(*new, strict=True))), left

    def products(self, index: np.ndarray) -> np.ndarray:
        """Give the products of the whole field with the kernels at points, sorted: (N, C)."""
        products = np.empty((len(index), self.field.image.shape[-1]))
        radius = self.kernel.radius
        for plane, block in self._blocks():
            rows, columns = window = _widened(block, radius, self.field.grid[-2:])
            values = np.stack([spread(each, self.kernel) for each in self.field.values(plane, *window)])
            which, y, x = _within(index, self.field, plane, *block)
            products[which] = values[:, y - rows.start, x - columns.start].T
        return products

    def _blocks(self) -> Iterator[tuple[tuple[int, ...], Block]]:
        blocks = list(itertools.product(*(cuts(length, BLOCK) for length in self.field.grid[-2:])))
        return itertools.product(self.field.planes(), blocks)

    def gain(self, products: np.ndarray, energy: np.ndarray) -> np.ndarray:
        """What a point takes off the squared error: from products with the field, (C, ...), to (...)."""
        if self.amplitude is not None:
            return self.amplitude * (2 * products.sum(axis=0) - len(products) * self.amplitude * energy)
        return (products * products).sum(axis=0) / energy

    def amplitudes(self, products: np.ndarray, energy: np.ndarray) -> np.ndarray:
        """Give the amplitudes of points: from products (C, N) to (C, N)."""
        if self.amplitude is not None:
            return np.full_like(products, self.amplitude)
        return np.rint(products / energy / AMPLITUDE_UNIT) * AMPLITUDE_UNIT


class _Block:
    """A block and its rim: products of the kernel with what is left of the field, and the gains of points.

    Arrays are those of the window, the block and its rim, with a margin that takes what reaches beyond it.
    """

    def __init__(self, pursuit: _Pursuit, known: Chosen, plane: tuple[int, ...], block: Block) -> None:
        self.pursuit, self.plane, self.block = pursuit, plane, block
        self.margin = pursuit.overlaps.reach
        self.window = _widened(block, 2 * self.margin * PASSES, pursuit.field.grid[-2:])
        spikes, taken = self._spikes(known)
        left_over = pursuit.field.values(plane, *self.window)
        for values, spike in zip(left_over, spikes, strict=True):
            values -= self._without(spread(spike, pursuit.kernel), pursuit.kernel.radius)
        self.products = np.stack([np.pad(spread(each, pursuit.kernel), self.margin) for each in left_over])
        self.energy = np.pad(pursuit.overlaps.energy(*self.window), self.margin, constant_values=1)
        open_places = ~self._without(taken, pursuit.kernel.radius)
        self.weights = np.pad(_precedence(self.window, 2 * self.margin + 1) * open_places, self.margin)
        self.gains = pursuit.gain(self.products, self.energy) * self.weights

    @property
    def left(self) -> float:
        """The greatest gain in the block."""
        rows, columns = (
            slice(part.start - around.start + self.margin, part.stop - around.start + self.margin)
            for part, around in zip(self.block, self.window, strict=True)
        )
        return float(self.gains[rows, columns].max())

    def passes(self, threshold: float, first: int) -> list[Chosen]:
        """Make passes, as long as one finds points."""
        window = np.ones((2 * self.margin + 1,) * 2, np.uint8)
        chosen = []
        for rank in range(first, first + PASSES):
            above = self.gains > threshold
            if not above.any():
                break
            summits = np.flatnonzero(above & (self.gains == cv2.dilate(self.gains, window)))
            chosen.append(self._choose(summits, rank))
        return chosen

    def _choose(self, summits: np.ndarray, rank: int) -> Chosen:
        """Take points, at places in the flattened arrays, off the field; give those that lie in the block."""
        pursuit, stride = self.pursuit, self.gains.shape[1]
        products, energy = self.products.reshape(len(self.products), -1), self.energy.ravel()
        gains, weights = self.gains.ravel(), self.weights.ravel()
        amplitude, gain = pursuit.amplitudes(products[:, summits], energy[summits]), gains[summits]
        y, x = (
            place - self.margin + part.start
            for place, part in zip(np.divmod(summits, stride), self.window, strict=True)
        )
        offsets = np.arange(-self.margin, self.margin + 1)
        around = summits[:, None] + (offsets[:, None] * stride + offsets).ravel()
        overlaps = pursuit.overlaps.near(y, x).reshape(around.shape)
        for channel, height in zip(products, amplitude, strict=True):
            np.subtract.at(channel, around.ravel(), (height[:, None] * overlaps).ravel())
        weights[summits] = 0
        gains[around] = pursuit.gain(products[:, around], energy[around]) * weights[around]
        rows, columns = self.block
        own = (y >= rows.start) & (y < rows.stop) & (x >= columns.start) & (x < columns.stop)
        index = np.ravel_multi_index((*self.plane, y, x), pursuit.field.grid)
        return Chosen(index, amplitude.T, np.full(len(index), rank), gain).taken(own)

    def _spikes(self, known: Chosen) -> tuple[np.ndarray, np.ndarray]:
        """Put known points, sorted by their index, where they are, a radius beyond the window too.

        Returns
        -------
        spikes : numpy.ndarray
            (C, Y, X) float64 amplitudes.
        taken : numpy.ndarray
            (Y, X) bool.
        """
        radius = self.pursuit.kernel.radius
        rows, columns = (slice(part.start - radius, part.stop + radius) for part in self.window)
        which, y, x = _within(known.index, self.pursuit.field, self.plane, rows, columns)
        place, shape = (
            (y - rows.start, x - columns.start),
            (rows.stop - rows.start, columns.stop - columns.start),
        )
        spikes, taken = np.zeros((known.amplitude.shape[1], *shape)), np.zeros(shape, bool)
        spikes[:, *place] = known.amplitude[which].T
        taken[place] = True
        return spikes, taken

    @staticmethod
    def _without(values: np.ndarray, margin: int) -> np.ndarray:
        return values[margin : values.shape[0] - margin, margin : values.shape[1] - margin]


def _widened(block: Block, rim: int, size: tuple[int, int]) -> Block:
    """Add a rim to a rectangle, as far as the plane goes."""
    return tuple(
        slice(max(part.start - rim, 0), min(part.stop + rim, length))
        for part, length in zip(block, size, strict=True)
    )


def _within(
    index: np.ndarray, field: Field, plane: tuple[int, ...], rows: slice, columns: slice
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find which points, sorted by their index, lie in a rectangle: their numbers, rows and columns."""
    height, width = field.grid[-2:]
    origin = np.ravel_multi_index((*plane, 0, 0), field.grid)
    ends = origin + np.clip([rows.start, rows.stop], 0, height) * width
    first, last = np.searchsorted(index, ends)
    y, x = np.divmod(index[first:last] - origin, width)
    near = (x >= columns.start) & (x < columns.stop)
    return np.arange(first, last)[near], y[near], x[near]


def _precedence(window: Block, side: int) -> np.ndarray:
    """Give factors next to 1, different in each square of `side` pixels: they decide between equal gains."""
    y, x = (np.arange(part.start, part.stop) % side for part in window)
    return 1 - (y[:, None] * side + x) * 2.0**-44
