"""Volumes and their masks, by the same names: TIFF stacks, HDF5, OME-Zarrs or folders of slices."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from kerasseg.annotations.label_images import as_labels
from kerasseg.annotations.masks import refuse_lossy
from kerasseg.annotations.values import Meaning, distinct_of, meaning_of
from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.sources.layouts import subfolder
from kerasseg.data.sources.listing import (
    by_stem,
    check_size,
    existing,
    folder_of,
    listed,
    pairs,
)
from kerasseg.errors import Mistakes, Notice, UserError, unknown
from kerasseg.images import files, folders
from kerasseg.images.folders import stem
from kerasseg.images.formats import scenes
from kerasseg.images.headers import Header
from kerasseg.images.stores import hdf5
from kerasseg.images.stores.omezarr import is_zarr
from kerasseg.images.stores.store import Region
from kerasseg.images.stores.volume import Volume

SUFFIXES = (".tif", ".tiff", *hdf5.SUFFIXES, *scenes.SUFFIXES)
EXPECTED = "TIFF stacks, HDF5 files, OME-Zarrs, microscopes' files or folders of slices"


def volumes(
    root: Path,
    classes: list[str],
    *,
    images: str | None = "images",
    masks: str = "masks",
    suffix: str = "",
    mask_type: str = "class_ids",
    values: Mapping[str, int] | None = None,
    channels: Mapping[str, int] | None = None,
    axes: str | None = None,
    mask_axes: str | None = None,
    dataset: str | None = None,
    mask_dataset: str | None = None,
) -> list[Sample]:
    """List volumes with masks of class ids, of a channel per class, or of instance ids.

    Parameters
    ----------
    root : Path
        Folder of the data.
    classes : list of str
        Names of the classes 1, 2, ...
    images, masks : str, default "images" and "masks"
        Folders in `root`. They may be one, as in ``"."``, where masks have a suffix, or image and mask lie
        in one HDF5 file. Without images, None, each mask is its sample's image too, where only masks are
        wanted.
    suffix : str, default ""
        What a mask's name has after its image's: ``_mask`` where ``a.tif`` has ``a_mask.tif``.
    mask_type : {"class_ids", "channels", "instances"}
        What the numbers in a mask are: class ids; a channel per class, in which anything above 0 is of the
        class; or a number for each object of the one class.
    values : mapping of str to int, optional
        For "class_ids", the number of each class by its name, and of ``ignore``, where masks hold others.
    channels : mapping of str to int, optional
        For "channels", each class's channel, from 0; by default they are in the order of `classes`.
    axes, mask_axes : str, optional
        What the stored axes are, such as ``"ZCYX"``, where files do not say.
    dataset, mask_dataset : str, optional
        Which of several in a file: a dataset in HDF5, a scene, a point of time as in ``"t=3"``.

    Returns
    -------
    list of Sample
        Of "channels" with masks ``(Z, Y, X, K)``, of the others with masks ``(Z, Y, X)``.

    Raises
    ------
    MissingData
        If there is no `root`.
    UserError
        If anything is wrong with any file, its voxels excepted, or with the arguments; all of it at once.
    """
    root = existing(root)
    mistakes = Mistakes()
    with mistakes.noted():
        _check_mask_type(mask_type, classes, channels)
        _check_apart(root, images, masks, suffix, dataset == mask_dataset)
    mistakes.check()
    matched = _match(root, images, masks, suffix, mistakes)
    indices = [k if channels is None else channels[name] for k, name in enumerate(classes)]
    annotate = partial(MASK_TYPES[mask_type], indices=indices)
    if mask_type == "class_ids":
        mask_volumes = [Volume(path, mask_axes, mask_dataset) for _, path in matched.values()]
        with mistakes.noted():
            meaning = meaning_of(mask_volumes, _numbers, classes, values, "data.source.volumes.values")
            annotate = partial(_of_ids, meaning=meaning)
            if meaning.text:
                warnings.warn(f"{root / masks}: {meaning.text}", Notice, stacklevel=2)
    samples = []
    for name, (image_path, mask_path) in matched.items():
        mask = Volume(mask_path, mask_axes, mask_dataset)
        image = Volume(image_path, axes, dataset) if images is not None else mask
        with mistakes.noted():
            header = image.header()
            mask_header = _mask_header(mask)
            check_size(image, header.size, mask, mask_header.size)
            _check_channels(mask, mask_header, indices if mask_type == "channels" else None)
            attributes = folder_of(image_path, root)
            parts = {"by_region": header.in_blocks and mask_header.in_blocks}
            spacing = header.spacing or mask_header.spacing
            of_mask = partial(annotate, mask)
            samples.append(Sample(name, image, header.size, of_mask, attributes, spacing, **parts))
    mistakes.check()
    return listed(samples, root, "volumes", f"{EXPECTED} in {images or masks} and their masks in {masks}")


def find(folder: Path) -> list[Path]:
    """List the volumes in a folder and in its folders; one that holds 2-D images is itself a volume.

    Raises
    ------
    UserError
        If the folder does not exist.
    """
    volumes, others = [], []
    for path in folders.walk(folder, _is_volume):
        is_volume = path.is_dir() or path.name.lower().endswith(SUFFIXES)
        (volumes if is_volume else others).append(path)
    folders.say_left_alone(folder, others)
    return volumes


def _is_volume(folder: Path) -> bool:
    if is_zarr(folder) or folders.is_store(folder):
        return True
    planes = (path for path in folders.entries(folder) if path.suffix.lower() in files.SUFFIXES)
    first = next(planes, None)
    try:
        return first is not None and files.header(first).pages == 1
    except UserError:
        return False  # what is wrong with it is told when it is listed


def _match(
    root: Path, images: str | None, masks: str, suffix: str, mistakes: Mistakes
) -> dict[str, tuple[Path, Path]]:
    """Pair images and masks by their names; without images a mask takes its image's place."""
    folder = subfolder(root, masks, "volumes", "masks")
    if images is not None:
        return pairs(subfolder(root, images, "volumes", "images"), folder, suffix, mistakes, find)
    paths = (path for path in find(folder) if stem(path).endswith(suffix))
    by_name = by_stem(folder, paths, mistakes)
    return {name.removesuffix(suffix): (path, path) for name, path in by_name.items()}


def _check_mask_type(mask_type: str, classes: list[str], channels: Mapping[str, int] | None) -> None:
    if mask_type not in MASK_TYPES:
        raise UserError(f"data.source.volumes.mask_type: {unknown('mask type', mask_type, MASK_TYPES)}")
    if mask_type == "instances" and len(classes) > 1:
        raise UserError(
            f"data.classes names {', '.join(classes)}; instance ids tell objects of one class apart: name "
            "one, or set data.source.volumes.mask_type to class_ids or channels"
        )
    if channels is None:
        return
    key = "data.source.volumes.channels"
    if mask_type != "channels":
        raise UserError(f"{key}: masks of {mask_type} have one; leave it out, or set mask_type to channels")
    strangers = [f"{key}: {unknown('class', name, classes)}" for name in channels if name not in classes]
    without = [
        f"{key}: {name} has no channel; expected one for each class"
        for name in classes
        if name not in channels
    ]
    if strangers or without:
        raise UserError(*strangers, *without)


def _check_apart(root: Path, images: str | None, masks: str, suffix: str, same_dataset: bool) -> None:
    if images is not None and root / images == root / masks and not suffix and same_dataset:
        raise UserError(
            f"data.source.volumes: images and masks are both all of {root / images}; tell them apart by a "
            "suffix, or by dataset and mask_dataset where they lie in one HDF5 file"
        )


def _mask_header(mask: Volume) -> Header:
    """Read a mask's header; what may be set for it goes by other keys than for an image."""
    _refuse_lossy(mask)
    try:
        return mask.header()
    except UserError as error:
        keys = {"axes=": "mask_axes=", "dataset=": "mask_dataset="}
        messages = error.messages
        for key, of_mask in keys.items():
            messages = [message.replace(f" {key}", f" {of_mask}") for message in messages]
        raise UserError(*messages) from error


def _refuse_lossy(mask: Volume) -> None:
    """Refuse a stack, or slices, whose numbers need not be those that were drawn."""
    inside = folders.entries(mask.path) if mask.path.is_dir() else [mask.path]
    first = next((path for path in inside if path.suffix.lower() in files.SUFFIXES and path.is_file()), None)
    if first is None or mask.dataset:
        return
    try:
        header = files.header(first)
    except UserError:
        return  # what is wrong with it is told when it is opened as a volume
    refuse_lossy(header, mask)


def _check_channels(mask: Volume, header: Header, indices: Sequence[int] | None) -> None:
    if indices is None and header.channels > 1:
        raise UserError(
            f"{mask}: the mask has {header.channels} channels; expected one number a voxel. Set "
            "data.source.volumes.mask_type to channels where each is a class"
        )
    if indices is not None and max(indices) >= header.channels:
        raise UserError(
            f"{mask}: the mask has {header.channels} channels, and a class is in channel {max(indices)}, "
            "counted from 0; set data.source.volumes.channels, or data.classes, to what the masks hold"
        )


def _numbers(mask: Volume) -> tuple[np.ndarray, bool]:
    """List the different numbers of a mask."""
    _check_channels(mask, _mask_header(mask), None)
    return distinct_of(mask.mask_bands()), False


def _of_ids(mask: Volume, region: Region | None = None, *, meaning: Meaning) -> Annotation:
    return Annotation(meaning.mask(mask.read_values(region)[..., 0], mask))


def _of_channels(mask: Volume, region: Region | None = None, *, indices: Sequence[int]) -> Annotation:
    return Annotation((mask.read_values(region)[..., indices] > 0).astype(np.uint8))


def _of_instances(mask: Volume, region: Region | None = None, *, indices: Sequence[int]) -> Annotation:
    labels = as_labels(mask.read_values(region)[..., 0], mask)
    return Annotation((labels > 0).astype(np.uint8), labels)


MASK_TYPES: dict[str, Callable[..., Annotation]] = {
    "class_ids": _of_ids,
    "channels": _of_channels,
    "instances": _of_instances,
}
