"""Tables 5.1 to 5.7 of the thesis that the Golgi recipes follow, beside our own figures.

da Rosa, Deep Learning Methods for the Segmentation of Fluorescent Microscopy Images, MSc thesis.
Its scores are means over two test volumes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

CITATION = "da Rosa, Deep Learning Methods for the Segmentation of Fluorescent Microscopy Images, MSc thesis"
SCORES = {"dice": "Dice", "precision": "Precision", "recall": "Recall"}
CLASSES = ("nuclei", "golgi", "pair")


class Published(NamedTuple):
    """A row of the tables 5.1 to 5.6: scores of nuclei, Golgi and, in the three-class task, pairs."""

    model: str
    dice: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]

    def score(self, name: str, of_class: str) -> float | None:
        """One of its figures; None where it has no such class."""
        return dict(zip(CLASSES, getattr(self, name), strict=False)).get(of_class)


TABLE = (
    Published("3-D U-Net, raw", (0.4497, 0.3054), (0.2912, 0.1842), (0.9895, 0.9186)),
    Published("3-D U-Net, stretched", (0.7775, 0.6938), (0.7067, 0.6500), (0.8692, 0.7683)),
    Published(
        "3-D U-Net, three classes",
        (0.7916, 0.6752, 0.7601),
        (0.7589, 0.5935, 0.6941),
        (0.8278, 0.8206, 0.8403),
    ),
    Published("Vox2Vox", (0.7539, 0.6883), (0.6529, 0.7078), (0.8933, 0.6917)),
    Published(
        "Vox2Vox, three classes", (0.7464, 0.6720, 0.7198), (0.7170, 0.6596, 0.6763), (0.7784, 0.7204, 0.7721)
    ),
    Published("CycleGAN, supervised", (0.7612, 0.6545), (0.6894, 0.6004), (0.8528, 0.7450)),
    Published("CycleGAN, unsupervised", (0.7664, 0.6427), (0.6903, 0.5468), (0.8629, 0.8038)),
    Published(
        "CycleGAN, three classes",
        (0.7261, 0.5942, 0.6999),
        (0.7174, 0.5874, 0.6711),
        (0.7366, 0.6133, 0.7314),
    ),
)
TIMES = "66 min (U-Net), 74 min (Vox2Vox) and 28.6 h (CycleGAN) of training, 35 s for its two test volumes"


def applies(classes: Mapping) -> bool:
    """Whether a run's classes are those of the thesis: nuclei and Golgi, with or without their pairs."""
    return {"nuclei", "golgi"} <= set(classes) <= set(CLASSES)
