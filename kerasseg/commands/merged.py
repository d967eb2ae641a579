"""How good a cascade's merged mask is on images that none of its stages learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.cascade import Cascade
from kerasseg.console import track
from kerasseg.data.sample import Sample
from kerasseg.images.folders import file_name
from kerasseg.images.masks import IGNORE
from kerasseg.inference import mask_files
from kerasseg.metrics import confusion, pixel
from kerasseg.runs.rundirectory import PREDICTIONS


def evaluate(
    samples: Sequence[Sample], true_classes: Sequence[str], cascade: Cascade, *, folder: Path
) -> dict[str, Any]:
    """Predict samples, score the merged classes, and keep the masks.

    Parameters
    ----------
    samples : sequence of Sample
        Images or volumes.
    true_classes : sequence of str
        The classes of their annotations; those that the cascade does not merge are background.
    cascade : Cascade
    folder : Path
        Gets ``predictions/<name>.mask.png``, of volumes ``.mask.ome.tif``.

    Returns
    -------
    dict
        ``classes``: see `kerasseg.metrics.pixel.scores`; ``images``: the scores of each; ``averages``: see
        `kerasseg.metrics.confusion.averages`; ``confusion``: pixels by their true class, down, and by the
        predicted one, background first.
    """
    classes = cascade.spec.classes
    merged_id = np.zeros(IGNORE + 1, np.uint8)
    merged_id[IGNORE] = IGNORE
    for name in classes:
        merged_id[true_classes.index(name) + 1] = classes.index(name) + 1
    counts = {}
    for sample in track(samples, "predicting test images"):
        mask = cascade.mask(sample.read())
        mask_files.write(folder / PREDICTIONS / file_name(sample.name), mask, classes, spacing=sample.spacing)
        truth = merged_id[sample.annotate().mask]
        counts[sample.name] = confusion.confusion(truth, mask, len(classes))
    by_class = {name: pixel.of_confusion(each) for name, each in counts.items()}
    return {
        "classes": pixel.scores([*by_class.values()], classes),
        "images": {name: pixel.image_scores(each, classes) for name, each in by_class.items()},
        "averages": confusion.averages([*counts.values()]),
        "confusion": confusion.pooled([*counts.values()]).pixels.tolist(),
    }
