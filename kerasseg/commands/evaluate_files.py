"""The verb `evaluate` on files: masks or labels against the true ones, whichever program made them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.annotations.label_images import as_labels
from kerasseg.annotations.masks import refuse_lossy
from kerasseg.commands.batch import STORES, is_one_image
from kerasseg.console import track
from kerasseg.errors import Mistakes, UserError, unknown
from kerasseg.images import files, folders
from kerasseg.images.masks import IGNORE
from kerasseg.images.stores.store import open_store
from kerasseg.metrics import instance, pixel
from kerasseg.metrics.confusion import Confusion, averages, confusion
from kerasseg.runs.rundirectory import OVERLAYS

ENDINGS = (".mask", ".labels", "_cp_masks", "_masks", "_mask", "_labels", "_label")
"""What programs put behind an image's name in that of its mask."""


def evaluate_files(predicted: Path, truth: Path, *, kind: str | None = None) -> dict[str, Any]:
    """Score masks or labels against the true ones of the same names.

    Parameters
    ----------
    predicted, truth : Path
        Two folders, or two files: images or volumes of one channel. Names need not have the same ending:
        ``a.mask.png`` and ``a.labels.ome.tif`` belong to ``a.tif``, and so do Cellpose's ``a_cp_masks.png``.
    kind : {"mask", "labels"}, optional
        Class ids, 255 ignored, or the numbers of objects, 0 being background; by default labels where all
        predicted files say so in their names.

    Returns
    -------
    dict
        ``images``: how many; of masks ``classes``, see `kerasseg.metrics.pixel.scores`, and ``averages``, see
        `kerasseg.metrics.confusion.averages`; of labels ``objects``, see `kerasseg.metrics.instance.scores`.

    Raises
    ------
    UserError
        If a file cannot be read, has no counterpart, or another size.
    """
    if kind not in (None, *COUNTED):
        raise UserError(unknown("kind", kind, COUNTED))
    pairs = _pairs(predicted, truth)
    if kind is None:
        kind = "labels" if all(".labels." in path.name for path, _ in pairs) else "mask"
    mistakes, counts = Mistakes(), []
    for paths in track(pairs, "comparing"):
        with mistakes.noted():
            counts.append(COUNTED[kind](*_read(*paths, kind)))
    mistakes.check()
    if kind == "labels":
        return {"images": len(counts), "objects": instance.scores(counts)}
    classes = max(len(confusion.pixels) for confusion in counts) - 1
    if not classes:
        raise UserError(f"{predicted}: there is only background, as in {truth}; nothing can be scored")
    names = [f"class {k + 1}" for k in range(classes)]
    confusions = [confusion.widened(classes) for confusion in counts]
    return {
        "images": len(counts),
        "classes": pixel.scores(list(map(pixel.of_confusion, confusions)), names),
        "averages": averages(confusions),
    }


def lines(scores: dict[str, Any]) -> list[str]:
    """Say what `evaluate_files` found: pooled scores with their 95 % intervals over images."""
    found = [
        f"{name}: Dice {of['dice']:.4f} ({of['dice_interval'][0]:.4f} to {of['dice_interval'][1]:.4f}), "
        f"IoU {of['iou']:.4f}"
        for name, of in scores.get("classes", {}).items()
    ]
    if of := scores.get("objects"):
        found.append(
            f"{of['predicted_objects']} objects for {of['true_objects']} true ones: AP (DSB 2018) "
            f"{of['average_precision_dsb2018']:.4f}, PQ {of['pq']:.4f}, AJI {of['aji']:.4f}, "
            f"{of['splits']} split, {of['merges']} merged"
        )
    return [*found, f"pooled over {scores['images']} images; intervals are over images"]


def _pairs(predicted: Path, truth: Path) -> list[tuple[Path, Path]]:
    """Match files by their names; all that have no counterpart are named."""
    missing = [f"{path}: there is no such file or folder" for path in (predicted, truth) if not path.exists()]
    if missing:
        raise UserError(*missing)
    if all(path.is_file() or is_one_image(path) for path in (predicted, truth)):
        return [(predicted, truth)]
    ours, theirs = _by_name(predicted), _by_name(truth)
    lonely = [f"{ours[name]}: {truth} holds no file named {name}" for name in ours if name not in theirs]
    lonely += [f"{theirs[name]}: {predicted} holds no result for it" for name in theirs if name not in ours]
    if not ours:
        endings = ", ".join((*sorted(files.SUFFIXES), *STORES))
        lonely.append(f"{predicted}: there is no mask here; expected {endings}")
    if lonely:
        raise UserError(*lonely)
    return [(path, theirs[name]) for name, path in ours.items()]


def _by_name(folder: Path) -> dict[str, Path]:
    """Name the files of a folder by the images that they belong to; a run's overlays are no masks."""
    named: dict[str, Path] = {}
    for path in folders.find(folder, (*files.SUFFIXES, *STORES), (".json", ".csv"), whole=is_one_image):
        name = path.relative_to(folder)
        if name.parts[0] == Path(OVERLAYS).name:
            continue
        image = folders.stem(name)
        ending = next((each for each in ENDINGS if image.endswith(each)), "")
        key = name.with_name(image.removesuffix(ending)).as_posix()
        if key in named:
            raise UserError(f"{path}: {named[key]} belongs to the image {key} too; keep one of them")
        named[key] = path
    return named


def _read(predicted: Path, truth: Path, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a mask or labels and the true ones, of one size; what is ignored is of no object."""
    found, true = _numbers(predicted), _numbers(truth)
    if found.shape != true.shape:
        shown = " and ".join("x".join(map(str, each.shape)) for each in (found, true))
        raise UserError(f"{predicted}: it and {truth} differ in size: {shown}")
    if kind == "labels":
        return as_labels(found, predicted), as_labels(true, truth)
    for path, values in ((predicted, found), (truth, true)):
        if values.min() < 0 or values.max() > IGNORE or values.dtype.kind == "f":
            raise UserError(
                f"{path}: values lie in [{values.min()}, {values.max()}] ({values.dtype}); expected class "
                "ids from 0 to 255; for the numbers of objects say --what labels"
            )
    return found.astype(np.uint8), true.astype(np.uint8)


def _numbers(path: Path) -> np.ndarray:
    """Read the one number of each pixel: (Y, X) or (Z, Y, X)."""
    with open_store(path, values=True) as store:
        refuse_lossy(store, path)
        if store.shape[-1] != 1:
            raise UserError(f"{path}: it has {store.shape[-1]} channels; expected one number for each pixel")
        return store.read((slice(None),) * (len(store.shape) - 1))[..., 0]


def _count_pixels(mask: np.ndarray, true: np.ndarray) -> Confusion:
    """Count the pixels of each pair of classes, up to the highest class that one of the two holds."""
    highest = (np.where(each == IGNORE, 0, each).max(initial=0) for each in (mask, true))
    return confusion(true, mask, int(max(highest)))


def _count_objects(labels: np.ndarray, true: np.ndarray) -> instance.Counts:
    """Count what was found of the true objects."""
    return instance.count(instance.overlap(true, labels))


COUNTED = {"mask": _count_pixels, "labels": _count_objects}
"""What is kept of each image, which is not itself: many images are never in memory together."""
