"""Charts as SVG: how training went, what the threshold does, what was taken for what, how tiles cluster."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # matplotlib costs half a second to import, and only a report needs it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, INK, GRID = "#0072B2", "#D55E00", "#007A5A", "#4a4f57", "#e6e8eb"
RASTER = 200  # dots per inch, where a chart holds pixels
MOST_ROWS = 40  # images that have a row of their own
LONGEST_NAME = 24  # letters
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", INK)  # after Okabe and Ito, 2008

STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica Neue", "Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 9,
    "svg.fonttype": "path",
    "svg.hashsalt": "kerasseg",  # the same numbers draw the same file
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
}

CURVES = {
    "Loss": {"loss": "training", "val_loss": "validation"},
    "Dice": {"dice": "training", "val_dice": "validation"},
    "Contest": {"generator_loss": "generator", "discriminator_loss": "discriminator"},
}


def curves(history: Sequence[Mapping[str, float]], best: int | None = None) -> bytes:
    """Draw loss, Dice, what adversaries lose, and learning rate against the epoch, as far as they are known.

    Parameters
    ----------
    history : sequence of dict
        One row an epoch, with `epoch`, `loss`, `val_loss`, `learning_rate`, and if known `dice`, `val_dice`,
        `generator_loss` and `discriminator_loss`.
    best : int, optional
        The epoch to mark: the one whose weights were kept.

    Returns
    -------
    bytes
        SVG.
    """
    known = {title: labels for title, labels in CURVES.items() if set(labels) & set(history[0])}
    columns = len(known) + 1
    with _figure(columns=columns, width=3.2 * columns, height=2.7) as (figure, (*charts, rate)):
        for axes, (title, labels) in zip(charts, known.items(), strict=True):
            _lines(axes, history, labels, title)
            _mark_epoch(axes, best)
            axes.set(ylim=(0, 1) if title == "Dice" else None)
            axes.legend()
        _lines(rate, history, {"learning_rate": "learning rate"}, "Learning rate", drawstyle="steps-mid")
        rate.set(yscale="log", ylim=_limits([row["learning_rate"] for row in history]))
        rate.yaxis.set_minor_formatter("")
        return _svg(figure)


def learning(points: Sequence[Mapping[str, Any]], scores: Mapping[str, str], sizes: Sequence[int]) -> bytes:
    """Draw scores against the number of labelled tiles: a line through the means, a dot for each seed.

    Parameters
    ----------
    points : sequence of dict
        With `policy`, `proposals` (empty where every tile was labelled), `tiles` and the scores. Those with
        proposals are rings, as accepted tiles are not a number that is chosen.
    scores : mapping of str to str
        Their names in the points, and the titles of their charts.
    sizes : sequence of int
        Numbers of tiles to mark on the axis.

    Returns
    -------
    bytes
        SVG.
    """
    policies = dict.fromkeys(point["policy"] for point in points)
    with _figure(columns=len(scores), width=4.4 * len(scores), height=3.3) as (figure, charts):
        for axes, (score, title) in zip(charts, scores.items(), strict=True):
            for policy, colour in zip(policies, cycle(COLOURS), strict=False):
                _learning_line(axes, [each for each in points if each["policy"] == policy], score, colour)
            axes.set_xscale("function", functions=(_root, np.square))  # the first tiles teach the most
            axes.set(title=title, xlabel="tiles learnt from", ylim=(0, 1), xlim=(0, None))
            axes.set_xticks(sizes, sizes)
        charts[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return _svg(figure)


def _learning_line(axes: Axes, points: Sequence[Mapping[str, Any]], score: str, colour: str) -> None:
    """Plot a policy's points: dots and a line where tiles were labelled, rings where they were proposed."""
    policy, dots, rings = points[0]["policy"], [], []
    for point in points:
        (rings if point["proposals"] else dots).append((point["tiles"], point[score]))
    sizes = sorted({tiles for tiles, _ in dots})
    means = [fmean(value for tiles, value in dots if tiles == size) for size in sizes]
    style = {"color": colour, "linestyle": "none", "clip_on": False}
    axes.plot(*_columns(dots), **style, marker="o", markersize=3.4, alpha=0.55, markeredgewidth=0)
    axes.plot(sizes, means, color=colour, label=policy)
    if rings:
        how = {"markersize": 4.6, "markerfacecolor": "none", "label": f"{policy}, proposals"}
        axes.plot(*_columns(rings), **style, marker="o", **how)


def _root(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(values, 0))


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [first for first, _ in pairs], [second for _, second in pairs]


def objects(sizes: Mapping[str, Sequence[float]], groups: Mapping[str, str], quantity: str) -> bytes:
    """Draw how many objects images have and how large they are, image by image and group by group.

    Parameters
    ----------
    sizes : mapping of str to sequence of float
        Of the objects in each image, which may have none.
    groups : mapping of str to str
        The group of each image; those of one group have one colour.
    quantity : str
        What the sizes are, with their unit.

    Returns
    -------
    bytes
        SVG: left a row an image (of many the first), with its count, median, quartiles, and 5 to 95 % of its
        sizes; right the histogram of each group, or of all together where groups are many or single images.
    """
    order = sorted(sizes, key=lambda image: (groups[image], image))
    colours = dict(zip(dict.fromkeys(groups[image] for image in order), cycle(COLOURS), strict=False))
    if len(colours) > len(COLOURS) or len(colours) == len(order):
        groups, colours = dict.fromkeys(order, "all images"), {"all images": BLUE}
    rows = order[:MOST_ROWS]
    height = 1.2 + max(1.6, 0.2 * len(rows))
    with _figure(columns=2, width=8.4, height=height) as (figure, (images, histogram)):
        for row, image in enumerate(rows):
            _spread(images, row, sizes[image], colours[groups[image]])
        names = [f"{_shortened(image)} ({len(sizes[image]):,})" for image in rows]
        images.set_yticks(range(len(rows)), names)
        images.set(title="Objects in each image", xlabel=quantity, ylim=(len(rows) - 0.5, -0.5))
        pooled = {
            group: np.concatenate([sizes[image] for image in order if groups[image] == group])
            for group in colours
        }
        edges = np.histogram_bin_edges(np.concatenate([np.zeros(1), *pooled.values()]), 30)
        for group, values in pooled.items():
            label = f"{_shortened(group)} ({len(values):,})"
            histogram.stairs(np.histogram(values, edges)[0], edges, color=colours[group], label=label)
        histogram.set(title="Objects of all images", xlabel=quantity, ylabel="objects", xlim=(0, edges[-1]))
        histogram.legend()
        return _svg(figure)


def _spread(axes: Axes, row: int, sizes: Sequence[float], colour: str) -> None:
    """Draw a line from 5 to 95 % of sizes, a thick one between their quartiles, a dot at their median."""
    if not len(sizes):
        return
    low, quarter, median, three_quarters, high = np.percentile(sizes, (5, 25, 50, 75, 95))
    axes.hlines(row, low, high, color=colour, linewidth=1)
    axes.hlines(row, quarter, three_quarters, color=colour, linewidth=5, alpha=0.5)
    axes.plot(median, row, "o", color=colour, markersize=3.5)


def _shortened(name: str) -> str:
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[-half:]}"


def threshold_curve(curve: Mapping[str, Any], chosen: float) -> bytes:
    """Draw pooled Dice and IoU against the threshold; of several classes the Dice of each.

    Parameters
    ----------
    curve : dict
        `threshold`, `dice` and `iou`: lists of the same length; `classes`: from names to such lists.
    chosen : float
        The threshold in use, marked.

    Returns
    -------
    bytes
        SVG.
    """
    with _figure(columns=1, width=4.8, height=2.7) as (figure, (axes,)):
        for (label, values), colour in zip(_threshold_lines(curve).items(), cycle(COLOURS), strict=False):
            axes.plot(curve["threshold"], values, color=colour, label=label)
        axes.axvline(chosen, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.annotate(f" in use: {chosen:g}", (chosen, 0.04), color=INK)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="threshold")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return _svg(figure)


def _threshold_lines(curve: Mapping[str, Any]) -> dict[str, Sequence[float]]:
    classes = curve.get("classes", {})  # earlier runs have none
    if len(classes) > 1:
        return {f"Dice, {name}": of["dice"] for name, of in classes.items()}
    return {"Dice": curve["dice"], "IoU": curve["iou"]}


def sizes(counts: Sequence[int], colours: Sequence[str]) -> bytes:
    """Draw how many tiles each cluster has.

    Parameters
    ----------
    counts : sequence of int
        Of the clusters 0, 1, ...
    colours : sequence of str
        A colour for each.

    Returns
    -------
    bytes
        SVG.
    """
    with _figure(columns=1, width=4.6, height=3.4) as (figure, (axes,)):
        bars = axes.bar(range(len(counts)), counts, color=colours, width=0.72)
        axes.bar_label(bars, padding=2, color=INK)
        axes.set(xlabel="cluster, darkest first", ylabel="tiles", xticks=range(len(counts)))
        axes.tick_params(axis="x", length=0)
        return _svg(figure)


def scatter(points: np.ndarray, groups: np.ndarray, colours: Sequence[str], marked: np.ndarray) -> bytes:
    """Draw points in the colours of their groups, whose numbers stand amid them.

    Parameters
    ----------
    points : np.ndarray
        (N, 2).
    groups : np.ndarray
        (N,) int: 0, 1, ...
    colours : sequence of str
        A colour for each group.
    marked : np.ndarray
        (N,) bool: points to ring.

    Returns
    -------
    bytes
        SVG, in which the points are pixels: thousands of them would be slow as lines.
    """
    import matplotlib.patheffects as effects

    halo = [effects.withStroke(linewidth=3, foreground="white")]
    with _figure(columns=1, width=4.6, height=3.4) as (figure, (axes,)):
        dots = {"s": max(2.0, min(14.0, 12000 / len(points))), "linewidth": 0, "alpha": 0.75}
        axes.scatter(*points.T, c=[colours[group] for group in groups], rasterized=True, **dots)
        axes.scatter(*points[marked].T, s=12, facecolor="none", edgecolor="black", linewidth=0.6)
        for group in np.unique(groups):
            x, y = np.median(points[groups == group], axis=0)
            axes.text(x, y, str(group), fontsize=13, weight="bold", ha="center", path_effects=halo)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        return _svg(figure)


def parallel_coordinates(names: Sequence[str], lines: Sequence[Sequence[Any]]) -> bytes:
    """Draw a line for each trial through its values, the first line the darkest.

    Parameters
    ----------
    names : sequence of str
        Of the axes.
    lines : sequence of sequence
        For each trial a value on each axis: numbers lie by their size, anything else evenly in its order.

    Returns
    -------
    bytes
        SVG.
    """
    with _figure(columns=1, width=1.6 + 1.3 * len(names), height=3.0) as (figure, (axes,)):
        places = np.array([_along_axis([line[axis] for line in lines]) for axis in range(len(names))]).T
        for rank, line in reversed(list(enumerate(places))):
            axes.plot(
                line, color=BLUE, alpha=1 - 0.85 * rank / len(lines), linewidth=2.4 if rank == 0 else 1.2
            )
        for axis in range(len(names)):
            axes.axvline(axis, color=INK, linewidth=0.6)
            for value in {str(line[axis]): line[axis] for line in (lines[0], *_ends(lines, axis))}.values():
                place = _along_axis([value, *(line[axis] for line in lines)])[0]
                axes.annotate(f" {value:.4g}" if isinstance(value, float) else f" {value}", (axis, place))
        axes.set(xticks=range(len(names)), xticklabels=names, yticks=[], xlim=(-0.2, len(names) - 0.5))
        axes.spines[:].set_visible(False)
        return _svg(figure)


def _ends(lines: Sequence[Sequence[Any]], axis: int) -> list[Sequence[Any]]:
    """Give the lines that are lowest and highest on an axis of numbers, or all of another."""
    values = [line[axis] for line in lines]
    if not all(isinstance(value, int | float) for value in values):
        return list(lines)
    return [lines[int(np.argmin(values))], lines[int(np.argmax(values))]]


def _along_axis(values: Sequence[Any]) -> list[float]:
    """Place values in [0, 1]."""
    if not all(isinstance(value, int | float) for value in values):
        order = sorted({str(value) for value in values})
        values = [order.index(str(value)) for value in values]
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]


def compared_curves(histories: Mapping[str, Sequence[Mapping[str, float]]], column: str) -> bytes:
    """Draw a column of several histories against the epoch.

    Parameters
    ----------
    histories : mapping
        From labels to rows as `curves` takes them.
    column : str
        Such as ``val_loss``.

    Returns
    -------
    bytes
        SVG.
    """
    with _figure(columns=1, width=7.2, height=3.2) as (figure, (axes,)):
        for (label, rows), colour in zip(histories.items(), cycle(COLOURS), strict=False):
            marker = "o" if len(rows) == 1 else None
            epochs, values = [row["epoch"] for row in rows], [row[column] for row in rows]
            axes.plot(epochs, values, color=colour, label=label, marker=marker, markersize=4)
        axes.set(xlabel="epoch", ylabel=column)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return _svg(figure)


def paired(values: np.ndarray, labels: Sequence[str], score: str) -> bytes:
    """Draw how several models score on the same images: a thin line an image, a thick one for the mean.

    Parameters
    ----------
    values : numpy.ndarray
        (R, N) of R models on N images; images without a score by all are left out.
    labels : sequence of str
        Names of the models.
    score : str
        What it is.

    Returns
    -------
    bytes
        SVG.
    """
    known = values[:, ~np.isnan(values).any(axis=0)]
    with _figure(columns=1, width=1.6 + 1.8 * len(labels), height=3.2) as (figure, (axes,)):
        axes.plot(known, color=INK, alpha=0.35, linewidth=0.8, marker="o", markersize=2.5)
        if known.size:
            axes.plot(known.mean(axis=1), color=BLUE, linewidth=2.4, marker="o")
        axes.set(ylabel=score, xlim=(-0.3, len(labels) - 0.7))
        axes.set_xticks(range(len(labels)), labels)
        return _svg(figure)


def confusion(pixels: Sequence[Sequence[int]], classes: Sequence[str]) -> bytes:
    """Draw which class was taken for which: of each true class, the share of its pixels in each prediction.

    Parameters
    ----------
    pixels : sequence of sequence of int
        Counts by the true class, down, and by the predicted one, across.
    classes : sequence of str
        Their names.

    Returns
    -------
    bytes
        SVG. A class without a true pixel has an empty row.
    """
    counts = np.asarray(pixels, float)
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)
    side = 1.6 + 0.62 * len(classes)
    with _figure(columns=1, width=side, height=side) as (figure, (axes,)):
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (true, predicted), share in np.ndenumerate(shares):
            if not math.isnan(share):
                colour = "white" if share > 0.5 else INK
                axes.text(predicted, true, _percent(share), ha="center", va="center", color=colour)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(classes)), classes)
        axes.set(xlabel="predicted", ylabel="true, each row 100 %")
        return _svg(figure)


def _percent(share: float) -> str:
    """Write a share so that neither a few pixels nor nearly all are rounded away."""
    if 0 < share < 0.001:
        return "<0.1"
    return f"{100 * share:.1f}" if share < 0.9995 or share == 1 else ">99.9"


def histograms(counts: Mapping[str, np.ndarray]) -> bytes:
    """Draw cumulative histograms of intensities, a chart for each channel.

    They lie upon each other where images are matched, while the histograms themselves have gaps and peaks:
    a table that stretches intensities leaves some out. The third is dotted, so that it hides no other.

    Parameters
    ----------
    counts : mapping of str to np.ndarray
        (C, 65536) how often each channel has each intensity, by what is drawn; drawn as 8 bits if they are.

    Returns
    -------
    bytes
        SVG.
    """
    channels = len(next(iter(counts.values())))
    values = 256 if not any(each[:, 256:].any() for each in counts.values()) else 65536
    step = max(1, values // 256)
    with _figure(columns=channels, width=4.8 * channels, height=2.7) as (figure, charts):
        for channel, axes in enumerate(charts):
            for (label, each), colour, line in zip(counts.items(), COLOURS, ("-", "-", ":"), strict=False):
                up_to = np.cumsum(each[channel, :values])
                shares = (up_to / max(up_to[-1], 1))[::step]
                axes.plot(np.arange(values)[::step], shares, line, color=colour, label=label)
            axes.set(xlabel="intensity", ylabel="pixels up to it", ylim=(0, 1), xlim=(0, values))
        charts[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return _svg(figure)


@contextmanager
def _figure(*, columns: int, width: float, height: float) -> Iterator[tuple[Figure, Sequence[Axes]]]:
    """Open a row of axes; a Figure of its own needs neither pyplot nor a display."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, figure.subplots(1, columns, squeeze=False)[0]


def _lines(
    axes: Axes, history: Sequence[Mapping[str, float]], labels: Mapping[str, str], title: str, **style
) -> None:
    """Plot the columns that the history has; one epoch alone shows as a dot."""
    marker = "o" if len(history) == 1 else None
    for (name, label), colour in zip(labels.items(), (BLUE, ORANGE), strict=False):
        if name in history[0]:
            epochs, values = [row["epoch"] for row in history], [row[name] for row in history]
            axes.plot(epochs, values, color=colour, label=label, marker=marker, markersize=4, **style)
    axes.set(title=title, xlabel="epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)


def _mark_epoch(axes: Axes, epoch: int | None) -> None:
    if epoch is not None:
        axes.axvline(epoch, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), label=f"kept: epoch {epoch}")


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """Widen a range of positive numbers down to a power of ten, so that a logarithmic axis has two labels."""
    return 10 ** math.floor(math.log10(min(values)) - 0.01), 1.5 * max(values)


def _svg(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True, dpi=RASTER)
    return file.getvalue()
