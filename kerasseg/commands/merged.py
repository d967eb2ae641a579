"""How good a cascade's merged mask, or one network, is on images that none of them has learnt from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.console import track
from kerasseg.data.sample import Sample
from kerasseg.images.folders import file_name
from kerasseg.images.masks import IGNORE
from kerasseg.inference import mask_files
from kerasseg.metrics import confusion, pixel
from kerasseg.report.cascade import AVERAGES
from kerasseg.report.page import is_score
from kerasseg.runs.rundirectory import PREDICTIONS


def evaluate(
    samples: Sequence[Sample],
    truth: Sequence[str | None],
    classes: Sequence[str],
    predict: Callable[[np.ndarray], np.ndarray],
    *,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Predict samples and score the classes that are merged.

    Parameters
    ----------
    samples : sequence of Sample
        Images or volumes.
    truth : sequence of str or None
        What the numbers 1, 2, ... in their masks are: see `numbers`.
    classes : sequence of str
        Those that are merged.
    predict : callable
        From an image as it is stored to its mask of `classes`.
    folder : Path, optional
        Gets ``predictions/<name>.mask.png``, of volumes ``.mask.ome.tif``.

    Returns
    -------
    dict
        ``classes``: see `kerasseg.metrics.pixel.scores`; ``images``: the scores of each; ``averages``: see
        `kerasseg.metrics.confusion.averages`; ``confusion``: pixels by their true class, down, and by the
        predicted one, background first.
    """
    merged, counts = numbers(truth, classes), {}
    for sample in track(samples, "predicting test images"):
        mask = predict(sample.read())
        if folder:
            stem = folder / PREDICTIONS / file_name(sample.name)
            mask_files.write(stem, mask, classes, spacing=sample.spacing)
        counts[sample.name] = confusion.confusion(merged[sample.annotate().mask], mask, len(classes))
    by_class = {name: pixel.of_confusion(each) for name, each in counts.items()}
    return {
        "classes": pixel.scores([*by_class.values()], classes),
        "images": {name: pixel.image_scores(each, classes) for name, each in by_class.items()},
        "averages": confusion.averages([*counts.values()]),
        "confusion": confusion.pooled([*counts.values()]).pixels.tolist(),
    }


def numbers(names: Sequence[str | None], classes: Sequence[str]) -> np.ndarray:
    """Give each number of a mask that of its class among others: (256,) uint8.

    Parameters
    ----------
    names : sequence of str or None
        What 1, 2, ... mean: one of `classes`, or what is background among them; None is ignored.
    classes : sequence of str
    """
    ids = np.zeros(IGNORE + 1, np.uint8)
    ids[IGNORE] = IGNORE
    for number, name in enumerate(names, start=1):
        if name is None:
            ids[number] = IGNORE
        elif name in classes:
            ids[number] = classes.index(name) + 1
    return ids


def lines(scores: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Say how good the merged mask is, and the one network beside it, class by class and on average."""
    test, alone = scores["test"], scores.get("baseline")

    def line(title: str, score: Callable[[Mapping[str, Any]], float]) -> str:
        values = [score(each) for each in (test, alone) if each]
        shown = [f"{value:.4f}" if is_score(value) else "none, without truth" for value in values]
        return f"{title}: F1 {', of the single network '.join(shown)}"

    for name in test["classes"]:
        yield line(name, lambda scores, name=name: scores["classes"][name]["dice"])
    for key, title in AVERAGES.items():
        yield line(title, lambda scores, key=key: scores["averages"][key])
