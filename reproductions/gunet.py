"""Tables 2a and 2b, Figures 5 and 7 of the GU-Net paper, with ours beside them.

    python reproductions/gunet.py DATA [--seeds 5] [--classifier efficientnetb0]

Banerjee et al., Guided U-Net aided Efficient Image Data Storing with Shape Preservation, 2023. DATA holds
``mnist_6k/mnist_6k.npz``, whose last 1,000 digits are the test, and, where they are there,
``cmaterdb_numerals``, ``neubias_thin`` and ``neubias``. The networks are trained by `kerasseg run`, each kind
with several seeds, all of which are printed; a run that has finished is not made again.

What the paper calls RMSE fits a mean squared error of images rebuilt by kernels that sum to 1, and its SSIM
fits its own equation 5 to the letter, with windows of 3 x 3 pixels: both are inferences. They stand beside
its columns, and the usual measures behind them. The rows of skeletons, Canny edges and PSPU-SkelNet in Table
2b fit no definition that was tried: their errors are near or beyond that of a black image. 2D HeLa, UiTMito
and CMATERdb's words are not to be had here: other images of their kinds are shown, which reproduce no row.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from rich.console import Console
from rich.table import Table
from trained import WIDTH, trained

from kerasseg import Segmenter
from kerasseg.commands.rebuilding import rebuilt
from kerasseg.compact import kernels, keypoints_file
from kerasseg.compact.keypoints import Kernel
from kerasseg.compact.selection import select
from kerasseg.files import write_atomically
from kerasseg.images.files import read_values
from kerasseg.metrics.similarity import MEASURES, WINDOW

RECIPE, CLASSIFY = "recipes/gunet_mnist.yaml", "recipes/gunet_classify.yaml"
DIGITS, SWEEP = Path("data/gunet_digits"), Path("sweeps/gunet_figure_5")
TRAINED_ON = 5000  # digits, of which a fifth chooses the epoch
WHITE = 255
COLUMNS = ("ssim_paper", "mse", "ssim_global", "ssim_11", "rmse")

TABLE_2A = {"psf": (0.7943, 0.0628), "gaussian": (0.8397, 0.0621), "mean": (0.8041, 0.0742)}
"""SSIM and RMSE of MNIST, by kernel; the other three data sets are not to be had."""
TABLE_2B = {
    "GU-Net": (0.8397, 0.0621),
    "Skeletonization": (0.7926, 0.1063),
    "PSPU-SkelNet": (0.7470, 0.1501),
    "Canny Edge": (0.7922, 0.1104),
}
FIGURE_7 = "Figure 7 and the abstract: 5 % of the pixels are kept of MNIST, and accuracy drops by 1.66 points"

KERNELS: dict[str, Callable[..., Kernel]] = {
    "psf": partial(kernels.psf, 0.5, 1.4, 0.0735),  # 2.5 pixels wide at half its height
    "gaussian": kernels.gaussian,
    "mean": kernels.mean,
}
PEAK, SUM = "peak", "sum"

LOOSE = [
    "key_points.points=39",
    "train.engine.guided.weight=0.1",
    "train.engine.guided.budget_weight=1",
]
NETWORKS: dict[str, list[str]] = {
    "three losses, peak kernel": [],
    "three losses, peak kernel, pursuit's points": ["key_points.target=pursuit"],
    "three losses, sum kernel": [
        "key_points.kernel={gaussian: {sigma: 1, norm: sum}}",
        "key_points.points=36",
        "train.engine.guided.budget_weight=20",
        "train.engine.guided.shape_weight=1",
    ],
    "skeleton loss alone": ["train.engine=supervised"],
    "PSPU-SkelNet, skeleton loss alone": [
        "train.engine=supervised",
        "model={pspu_skelnet: {base_filters: 4}}",
        "train.epochs=4",  # each takes ten times as long as the U-Net's, as 28 pixels are padded to 64
    ],
    "loss 0.1, budget 1, shape 5, no warm start": [*LOOSE, "train.engine.guided.warmup=0"],
    "loss 0.1, budget 1, shape 5, warm start": LOOSE,
}
"""What differs from the recipe, by the row's name."""
SELECTED = {
    "Zhang-Suen": ("zhang_suen", None),
    "Guo-Hall 1989": ("guo_hall", None),
    "Canny 100/200": ("canny", None),
    "39 brightest": ("brightest", 39),
    "pursuit, at most 39": ("pursuit", 39),
    "bitmap": ("bitmap", None),
}
"""Methods that are not trained, with their budgets."""


def main() -> None:
    """Train what was not trained, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--classifier", choices=("plain", "efficientnetb0"), default="plain")
    given = parser.parse_args()
    images, _ = split_digits(given.data)
    console = Console(width=WIDTH)
    trainings = runs(given.seeds)
    points = {name: [masks(run, len(images)) for run in of] for name, of in trainings.items()}
    untrained = {name: chosen(images, *how) for name, how in SELECTED.items()}
    console.print(seeds_table(images, points))
    for name in ("skeleton loss alone", "three losses, sum kernel"):
        console.print(table_2a(images, name, points[name]))
    console.print(table_2b(images, points, untrained))
    console.print(storage(images, {"network": points["three losses, peak kernel"][0], **untrained}))
    console.print(classification(given.classifier, images, points, untrained))
    console.print(figure_5())
    for title, fields in others(given.data).items():
        console.print(other_images(title, fields, trainings["three losses, peak kernel"][0]))


def split_digits(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Write the digits to learn from and those to test by into files of their own; return the latter.

    Returns
    -------
    images : np.ndarray
        (N, Y, X) uint8.
    labels : np.ndarray
        (N,).
    """
    archive = np.load(data / "mnist_6k" / "mnist_6k.npz")
    DIGITS.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", slice(TRAINED_ON)), ("test", slice(TRAINED_ON, None))):
        with write_atomically(DIGITS / f"{name}.npz") as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, images=archive["images"][part], labels=archive["labels"][part])
    return archive["images"][TRAINED_ON:], archive["labels"][TRAINED_ON:]


def runs(seeds: int) -> dict[str, list[dict[str, Any]]]:
    """Train every network with every seed."""
    return {
        name: [trained(f"gunet_{number}_{seed}", RECIPE, [*changed, *shared(seed)]) for seed in range(seeds)]
        for number, (name, changed) in enumerate(NETWORKS.items())
    }


def shared(seed: int) -> list[str]:
    """What all trainings have in common."""
    return [
        f"data.source.whole_images.root={DIGITS}",
        "data.if_missing=error",
        "data.split.test_where={file: test}",
        "export.saved_model=false",
        f"seed={seed}",
    ]


def masks(run: Mapping[str, Any], count: int) -> np.ndarray:
    """Read the points that a run chose in the test digits: (N, Y, X) of 0 and 1."""
    folder = run["folder"] / "predictions"
    return np.stack([read_values(folder / f"test__{number:05d}.mask.png")[..., 0] for number in range(count)])


def chosen(images: Sequence[np.ndarray], method: str, budget: float | str | None) -> np.ndarray:
    """Choose points of each image: (N, Y, X) of 0 and 1."""
    points = np.zeros((len(images), *images[0].shape), np.uint8)
    options = {"options": {"threshold": 0.5}} if method in ("zhang_suen", "guo_hall", "bitmap") else {}
    for image, mask in zip(images, points, strict=True):
        mask[tuple(select(image, "YX", method, budget=budget, **options).positions.T)] = 1
    return points


def measured(images: np.ndarray, points: np.ndarray, kernel: Kernel) -> dict[str, float]:
    """Measure what is rebuilt, averaged over images of one size; with the mean number of points."""
    again = np.stack([rebuilt(mask, kernel) for mask in points])
    names = [name for name in COLUMNS if min(images.shape[1:]) >= WINDOW]
    return {"points": points.sum(axis=(1, 2)).mean()} | {
        name: MEASURES[name](images / WHITE, again) for name in names
    }


def written(scores: Mapping[str, float], pixels: int) -> list[str]:
    """Write points, their share, and the measures in the order of the columns."""
    share = f"{scores['points']:.1f} ({scores['points'] / pixels:.2%})"
    return [share, *(f"{scores[name]:.4f}" for name in COLUMNS)]


def headed(title: str, *first: str) -> Table:
    """Make a table without rows."""
    table = Table(*first, title=title, title_justify="left")
    for column in ("points", "SSIM eq. 5", "MSE", "global SSIM", "SSIM 11x11", "RMSE"):
        table.add_column(column, justify="right")
    return table


def seeds_table(images: np.ndarray, points: Mapping[str, Sequence[np.ndarray]]) -> Table:
    """Print every seed of every network, rebuilt by its own kernel."""
    table = headed("MNIST, 1,000 digits: every seed, Gaussian of sigma 1", "network", "norm", "seed")
    for name, of in points.items():
        norm = PEAK if "peak" in name or "loss 0.1" in name else SUM
        for seed, masks_of in enumerate(of):
            scores = measured(images, masks_of, kernels.gaussian(norm=norm))
            table.add_row(name if seed == 0 else "", norm, str(seed), *written(scores, images[0].size))
    return table


def averaged(images: np.ndarray, of: Sequence[np.ndarray], kernel: Kernel) -> dict[str, float]:
    """Average over seeds."""
    each = [measured(images, points, kernel) for points in of]
    return {name: float(np.mean([scores[name] for scores in each])) for name in each[0]}


def table_2a(images: np.ndarray, network: str, of: Sequence[np.ndarray]) -> Table:
    """Put three kernels by both norms beside the paper's, which are compared with those that sum to 1."""
    table = headed(f"Table 2a, MNIST; ours: {network}, mean over seeds", "kernel", "norm", "paper")
    for name, make in KERNELS.items():
        for norm in (SUM, PEAK):
            theirs = "{:.4f} / {:.4f}".format(*TABLE_2A[name]) if norm == SUM else ""
            scores = averaged(images, of, make(norm=norm))
            table.add_row(name, norm, theirs, *written(scores, images[0].size))
    return table


def table_2b(
    images: np.ndarray,
    points: Mapping[str, Sequence[np.ndarray]],
    untrained: Mapping[str, np.ndarray],
) -> Table:
    """Put all methods beside the paper's; by sums, the Gaussian being its best kernel, and by peaks."""
    table = headed("Table 2b, MNIST, Gaussian of sigma 1; mean over seeds", "method", "norm", "paper")
    theirs = {
        "skeleton loss alone": TABLE_2B["GU-Net"],
        "Zhang-Suen": TABLE_2B["Skeletonization"],
        "PSPU-SkelNet, skeleton loss alone": TABLE_2B["PSPU-SkelNet"],
        "Canny 100/200": TABLE_2B["Canny Edge"],
    }
    black = np.zeros_like(images)
    for name, of in {
        **points,
        **{name: [mask] for name, mask in untrained.items()},
        "black": [black],
    }.items():
        for norm in (SUM, PEAK):
            kernel = kernels.pixel() if name == "bitmap" else kernels.gaussian(norm=norm)
            paper = "{:.4f} / {:.4f}".format(*theirs[name]) if name in theirs and norm == SUM else ""
            table.add_row(name, norm, paper, *written(averaged(images, of, kernel), images[0].size))
    return table


def storage(images: np.ndarray, points: Mapping[str, np.ndarray]) -> Table:
    """Figure 7a: bytes by the paper's count, and as written; whole images by lossless codecs."""
    table = Table("kept", "points", "paper's count, 2 n + 2", "bytes of a file", title=f"{FIGURE_7}. Bytes")
    for name, of in points.items():
        sizes = [
            len(keypoints_file.encode(as_points(image, mask))) for image, mask in zip(images, of, strict=True)
        ]
        count = of.sum(axis=(1, 2)).mean()
        table.add_row(name, f"{count:.1f}", f"{2 * count + 2:.0f}", f"{np.mean(sizes):.0f}")
    pixels = f"{images[0].size} bytes of pixels"
    table.add_row(pixels, "", "", f"{images[0].size}")
    table.add_row("one bit a pixel, packed", "", "", f"{images[0].size / 8:.0f}")
    png = np.mean([len(imagecodecs.png_encode(image, level=9)) for image in images])
    jxl = np.mean([len(imagecodecs.jpegxl_encode(image, lossless=True)) for image in images])
    table.add_row("PNG, lossless", "", "", f"{png:.0f}")
    table.add_row("JPEG XL, lossless", "", "", f"{jxl:.0f}")
    return table


def as_points(image: np.ndarray, mask: np.ndarray):
    """Say of points that are known what a file needs: as the network's choice that they are."""
    options = {"probabilities": lambda _: [(slice(0, len(mask)), mask)], "threshold": 0.5}
    return select(image, "YX", "network", options=options)


def classification(
    encoder: str,
    images: np.ndarray,
    points: Mapping[str, Sequence[np.ndarray]],
    untrained: Mapping[str, np.ndarray],
) -> Table:
    """Figure 7b: a classifier of originals, asked for originals and for what was rebuilt."""
    plain = ["model={classifier: {encoder: plain, levels: 3, base_filters: 16, batchnorm_momentum: 0.9}}"]
    run = trained(f"gunet_classify_{encoder}", CLASSIFY, [*(plain if encoder == "plain" else []), *shared(0)])
    segmenter, labels = Segmenter.load(run["folder"]), np.load(DIGITS / "test.npz")["labels"]
    right = answers(segmenter, images) == labels
    title = f"{FIGURE_7}. Ours: {encoder}, trained on originals; networks of seed 0"
    table = Table("digits", "norm", "accuracy", "drop, points (95 % interval)", title=title)
    table.add_row("original", "", f"{right.mean():.2%}", "")
    kept = {**{name: of[0] for name, of in points.items()}, **untrained}
    for name, masks_of in kept.items():
        for norm in (PEAK,) if name == "bitmap" else (PEAK, SUM):
            kernel = kernels.pixel() if name == "bitmap" else kernels.gaussian(norm=norm)
            again = np.stack([stretched(rebuilt(mask, kernel)) for mask in masks_of])
            still = answers(segmenter, again) == labels
            low, high = drop_interval(right, still)
            drop = f"{100 * (right.mean() - still.mean()):.2f} ({low:.2f} to {high:.2f})"
            table.add_row(name, norm, f"{still.mean():.2%}", drop)
    return table


def figure_5() -> Table:
    """Sweep numbers of points and thresholds by `kerasseg sweep`, with one seed and five epochs."""
    varied = ["key_points.points=10,20,39", "evaluate.threshold=0.3,0.5"]
    fixed = [
        f"name={SWEEP.name}",
        f"data.source.whole_images.root={DIGITS}",
        "data.if_missing=error",
        "export.saved_model=false",
        "data.split={train: 0.95, test: 0.05, validation: 0.2}",
        "train.epochs=5",
        "train.engine.guided.warmup=2",
    ]
    program = Path(sys.executable).with_name("kerasseg")
    command = [str(program), "sweep", RECIPE, *varied, "--objective", "val_ssim", *fixed]
    subprocess.run(command, check=True)
    with (SWEEP / "table.csv").open(newline="", encoding="utf-8") as file:
        trials = list(csv.DictReader(file))
    title = "Figure 5: the paper is best at (10, 0.3), in both of its measures; ours, held-out digits"
    table = Table("points", "threshold", "global SSIM", title=title, title_justify="left")
    for trial in sorted(trials, key=lambda trial: (int(trial["points"]), trial["threshold"])):
        table.add_row(trial["points"], trial["threshold"], f"{float(trial['val_ssim']):.4f}")
    return table


def stretched(image: np.ndarray) -> np.ndarray:
    """Bring an image to full contrast, (Y, X) uint8: a classifier has never seen dim digits."""
    return np.rint(WHITE * image / max(image.max(), 1e-9)).astype(np.uint8)


def answers(segmenter: Segmenter, images: np.ndarray) -> np.ndarray:
    """Ask for the digit of each image."""
    return np.array([segmenter.mask(image)[0, 0] - 1 for image in images])


def drop_interval(right: np.ndarray, still: np.ndarray) -> np.ndarray:
    """Bootstrap the drop of accuracy over images, in points: the middle 95 % of 2,000 resamples."""
    lost = right.astype(float) - still
    drawn = np.random.default_rng(0).integers(len(lost), size=(2000, len(lost)))
    return 100 * np.percentile(lost[drawn].mean(axis=1), [2.5, 97.5])


def others(data: Path) -> dict[str, list[np.ndarray]]:
    """Read what stands in for the other data sets: (Y, X) uint8 each, of one size in each list."""
    found: dict[str, list[np.ndarray]] = {}
    numerals = data / "cmaterdb_numerals" / "bangla_testing.npz"
    if numerals.is_file():
        found["CMATERdb 3.1.1, Bangla numerals (the paper: words of 2.1.2)"] = list(
            WHITE - np.load(numerals)["images"][..., 0]  # its ink is black
        )
    cells = data / "neubias" / "xyc_16bit__hela-cells.tif"
    if cells.is_file():
        pixels = tifffile.imread(cells)[:448, :512]
        for channel in range(pixels.shape[-1]):
            found[f"HeLa cells of NEUBIAS, channel {channel}"] = [scaled(pixels[..., channel])]
    for name in ("microtubules", "rat_hippocampal_neuron"):
        path = data / "neubias_thin" / f"xy_16bit__{name}.tif"
        if path.is_file():
            found[f"NEUBIAS, {name} (the paper: UiTMito)"] = [scaled(tifffile.imread(path))]
    return found


def scaled(image: np.ndarray) -> np.ndarray:
    """Bring a field to 8 bits, between its percentiles 0.1 and 99.9."""
    low, high = np.percentile(image, [0.1, 99.9])
    return np.rint(WHITE * ((image - low) / (high - low)).clip(0, 1)).astype(np.uint8)


def other_images(title: str, fields: Sequence[np.ndarray], run: Mapping[str, Any]) -> Table:
    """Show what the network of digits does on other images, by its threshold and by a budget."""
    segmenter, images = Segmenter.load(run["folder"]), np.stack(fields)
    probabilities = np.stack([segmenter.probabilities(field)[..., 0] for field in fields])
    budget = round(0.03 * images[0].size)
    best = np.sort(probabilities.reshape(len(images), -1))[:, -budget, None, None]
    rows = {
        f"network, from {segmenter.spec.threshold} on": probabilities >= segmenter.spec.threshold,
        "network, 3 % most probable": probabilities >= best,
        "pursuit, at most 3 %": chosen(fields, "pursuit", "3%"),
        "Zhang-Suen": chosen(fields, "zhang_suen", None),
        "bitmap": chosen(fields, "bitmap", None),
        "black": np.zeros(images.shape, np.uint8),
    }
    table = headed(f"{title}: {len(images)} images, Gaussian of sigma 1", "method", "norm")
    for name, points in rows.items():
        for norm in (SUM, PEAK):
            kernel = kernels.pixel() if name == "bitmap" else kernels.gaussian(norm=norm)
            scores = measured(images, points.astype(np.uint8), kernel)
            table.add_row(name, norm, *written(scores, images[0].size))
    return table


if __name__ == "__main__":
    main()
