"""Tables 2a and 2b, Figures 5 and 7 of the GU-Net paper, with ours beside them.

    python reproductions/gunet.py DATA [--seeds 5] [--figure5]

Banerjee et al., Guided U-Net aided Efficient Image Data Storing with Shape Preservation, 2023. DATA holds
``mnist_6k/mnist_6k.npz``, whose last 1,000 digits are the test, and, where they are there,
``cmaterdb_numerals``, ``neubias_thin`` and ``neubias``. The networks are trained by `kerasseg run`, each kind
with several seeds, all of which are printed; a run that has finished is not made again.

What the paper calls RMSE fits a mean squared error of images rebuilt by kernels that sum to 1, and its SSIM
fits its own equation 5 to the letter, with windows of 3 x 3 pixels: both are inferences. So that is what
stands beside its columns, with the usual measures behind. Of Table 2b the rows of skeletons and Canny edges
fit no definition that was tried; they are printed and not compared. 2D HeLa, UiTMito and CMATERdb's words
are not to be had here: other images of their kinds stand in, and their rows are no reproduction.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from trained import trained

from kerasseg.files import write_atomically

RECIPE = "recipes/gunet_mnist.yaml"
DIGITS = Path("data/gunet_digits")
TRAINED_ON = 5000  # digits, of which a fifth chooses the epoch
MEASURES = {
    "ssim_paper": "SSIM eq. 5",
    "mse": "MSE",
    "ssim_global": "global",
    "ssim_11": "11 x 11",
    "rmse": "RMSE",
}


class Published(NamedTuple):
    """A row of Table 2, as printed."""

    ssim: float
    rmse: float


TABLE_2A = {
    "MNIST": {"psf": (0.7943, 0.0628), "gaussian": (0.8397, 0.0621), "mean": (0.8041, 0.0742)},
    "UiTMito": {"psf": (0.9526, 0.0256), "gaussian": (0.9431, 0.0392), "mean": (0.9448, 0.0364)},
    "CMATER": {"psf": (0.8344, 0.0328), "gaussian": (0.8267, 0.0384), "mean": (0.8139, 0.0455)},
    "HeLa": {"psf": (0.8885, 0.0654), "gaussian": (0.8592, 0.0704), "mean": (0.8517, 0.0744)},
}
TABLE_2B = {
    "GU-Net": (0.8397, 0.0621),
    "Skeletonization": (0.7926, 0.1063),
    "PSPU-SkelNet": (0.7470, 0.1501),
    "Canny Edge": (0.7922, 0.1104),
}
"""MNIST; the first and the third are compared, no definition that was tried gives the others."""
POINTS = {"MNIST": 0.05, "CMATER": 0.03, "UiTMito": 0.03, "HeLa": 0.22}
"""Share of the pixels that are kept (abstract and Figure 7a)."""
DROPS = {"MNIST": 1.66, "CMATER": 2.41, "HeLa": 13.16}
"""Figure 7b: points of accuracy that a classifier of originals loses on rebuilt images."""

SUM = "key_points.kernel={gaussian: {sigma: 1, norm: sum}}"
NETWORKS: dict[str, list[str]] = {
    "three losses, peak kernel": [],
    "three losses, peak kernel, pursuit's points": ["key_points.target=pursuit"],
    "three losses, sum kernel": [
        SUM,
        "key_points.points=36",
        "train.engine.guided.budget_weight=20",
        "train.engine.guided.shape_weight=1",
    ],
    "skeleton loss alone": ["train.engine=supervised"],
    "PSPU-SkelNet, skeleton loss alone": [
        "train.engine=supervised",
        "model={pspu_skelnet: {base_filters: 4}}",
    ],
}
"""What differs from the recipe, by the row's name."""


def digits(data: Path) -> None:
    """Write the digits to learn from and those to test by into files of their own."""
    archive = np.load(data / "mnist_6k" / "mnist_6k.npz")
    DIGITS.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", slice(TRAINED_ON)), ("test", slice(TRAINED_ON, None))):
        with write_atomically(DIGITS / f"{name}.npz") as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, images=archive["images"][part], labels=archive["labels"][part])


def runs(seeds: int) -> dict[str, list[dict[str, Any]]]:
    """Train every network with every seed."""
    shared = [
        f"data.source.whole_images.root={DIGITS}",
        "data.if_missing=error",
        "data.split.test_where={file: test}",
        "export.saved_model=false",
    ]
    return {
        name: [
            trained(f"gunet_{number}_{seed}", RECIPE, [*overrides, *shared, f"seed={seed}"])
            for seed in range(seeds)
        ]
        for number, (name, overrides) in enumerate(NETWORKS.items())
    }
