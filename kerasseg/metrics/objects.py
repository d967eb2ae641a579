"""The objects of an image, class by class, and what both ways of scoring them say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from kerasseg.images.label_ids import consecutive
from kerasseg.metrics import coco, instance
from kerasseg.postprocess.numbering import object_classes


class Objects(NamedTuple):
    """What was counted of one class in one image."""

    counts: instance.Counts
    detections: coco.Detections


class Labelled(NamedTuple):
    """Objects with their classes: ``labels`` int32 and ``mask`` uint8 of one shape.

    Where classes do not exclude each other both are (..., K), and each class's objects are numbered by
    themselves.
    """

    labels: np.ndarray
    mask: np.ndarray
    exclusive: bool = True

    def by_class(self, classes: int) -> list[np.ndarray]:
        """Take the objects of each class apart: an object is of the class that most of its pixels have."""
        if not self.exclusive:
            return [self.labels[..., k] for k in range(classes)]
        ids, numbers = consecutive(self.labels)
        class_ids = object_classes([(numbers, self.mask)], len(ids) - 1, classes)[numbers]
        return [np.where(class_ids == k + 1, self.labels, 0) for k in range(classes)]


def compare(truth: Labelled, predicted: Labelled, probabilities: np.ndarray) -> list[Objects]:
    """Count the objects of each class that were found.

    Parameters
    ----------
    truth, predicted : Labelled
        Of one shape, (Y, X) or (Z, Y, X).
    probabilities : np.ndarray
        (..., K) of the K foreground classes: an object is as sure as its pixels are in the mean.

    Returns
    -------
    list of Objects
        One for each of the K classes.
    """
    classes = probabilities.shape[-1]
    pairs = zip(truth.by_class(classes), predicted.by_class(classes), strict=True)
    compared = []
    for k, (true_labels, labels) in enumerate(pairs):
        overlap = instance.overlap(true_labels, labels)
        confidence = coco.mean_probability(labels, probabilities[..., k])
        compared.append(Objects(instance.count(overlap), coco.detections(overlap, confidence)))
    return compared


def scores(images: Mapping[str, Sequence[Objects]], classes: Sequence[str]) -> dict[str, Any]:
    """Score a set of images, class by class.

    Parameters
    ----------
    images : mapping
        From an image's name to what `compare` gave for it.
    classes : sequence of str
        Names of the K foreground classes.

    Returns
    -------
    dict
        ``classes``: from a class to what `kerasseg.metrics.instance.scores` says and
        `kerasseg.metrics.coco.scores`; a class of which no object was there or found anywhere is left out.
        ``images``: from an image to a class to `kerasseg.metrics.instance.image_scores`.

    Raises
    ------
    UserError
        If there is no image.
    """
    by_class: dict[str, dict[str, Any]] = {}
    by_image: dict[str, dict[str, Any]] = {name: {} for name in images}
    for label, objects in zip(classes, zip(*images.values(), strict=True), strict=True):
        counts, detections = zip(*objects, strict=True)
        if not any(of_image.truths or len(of_image.iou) for of_image in detections):
            continue
        by_class[label] = instance.scores(counts) | coco.scores(detections)
        for name, of_image in zip(images, counts, strict=True):
            by_image[name][label] = instance.image_scores(of_image)
    return {"classes": by_class, "images": by_image}
