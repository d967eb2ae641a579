"""Every annotation format as a reader into drawings and a writer from them.

========  =================================================================  =============================
format    read from                                                          written as
========  =================================================================  =============================
labelme   a folder of JSON files, or one                                     a folder of JSON files
masks     a folder of images, or one: class ids, 0 and 255, or palettes      a folder of grey PNGs
labels    a folder of images of instance ids, or one, all of one class       16-bit PNGs, or 32-bit TIFFs
coco      a JSON file, or a folder that holds one                            a JSON file
rle       a CSV file as Kaggle's, or a folder that holds one                 a CSV file
geojson   a folder of QuPath's GeoJSON files, or one                         a folder of GeoJSON files
imagej    a folder of zips of ImageJ's ROIs, or one                          a folder of zips
========  =================================================================  =============================

Drawings go by their image's path without suffix, from the folder of the annotations. What a format stores as
pixels is read as ``mask`` shapes, which lose nothing. GeoJSON and ROIs keep the planes of a stack; for other
formats each is an image of its own (:mod:`kerasseg.annotations.planes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from kerasseg.annotations import coco, geojson, imagej, kaggle, labelme, masks
from kerasseg.annotations.draw import draw_instance, draw_labels, draw_mask
from kerasseg.annotations.planes import apart, repeated, stack_of
from kerasseg.annotations.shapes import BACKGROUND_LABEL, Drawing, Plane, Shape, instances
from kerasseg.annotations.trace import label_shapes, mask_shapes
from kerasseg.console import say, track
from kerasseg.errors import UserError
from kerasseg.images import files, folders

Drawings = dict[str, Drawing]
Plan = dict[Path, Callable[[], None]]  # what writes each file


@dataclass(frozen=True)
class Options:
    """What files alone do not say.

    Names of classes 1, 2, ...; their numbers in masks, where these are not class ids; by how many pixels
    outlines may move; what COCO's crowds mean.
    """

    classes: Sequence[str] = ()
    values: Mapping[str, int] | None = None
    tolerance: float = 0
    crowds: str = "ignore"


def _read_labelme(source: Path, options: Options) -> Drawings:
    return _each(_found(source, (".json",)), source, labelme.read)


def _read_masks(source: Path, options: Options) -> Drawings:
    meaning = masks.meaning_of(_found(source, files.SUFFIXES), options.classes, options.values, "--values")

    def shapes(path: Path) -> tuple[tuple[int, int], list[Shape]]:
        mask = masks.read_mask(path, meaning)
        return mask.shape, mask_shapes(mask, options.classes)

    return _each_image(source, shapes, options)


def _read_labels(source: Path, options: Options) -> Drawings:
    def shapes(path: Path) -> tuple[tuple[int, int], list[Shape]]:
        labels = masks.read_labels(path)
        return labels.shape, label_shapes(labels, lambda _: options.classes[0])

    return _each_image(source, shapes, options)


def _read_coco(source: Path, options: Options) -> Drawings:
    drawings = coco.read(_only(source, ".json"), options.crowds)
    return _named((Path(drawing.image_path), drawing) for drawing in drawings)


def _read_rle(source: Path, options: Options) -> Drawings:
    return kaggle.read(_only(source, ".csv"), options.classes)


def _read_geojson(source: Path, options: Options) -> Drawings:
    return _each(_found(source, (".geojson",)), source, lambda path: geojson.read(path, *_beside_file(path)))


def _read_imagej(source: Path, options: Options) -> Drawings:
    def drawing(path: Path) -> Drawing:
        return imagej.read(path, options.classes, *_beside_file(path))

    return _each(_found(source, (".zip",)), source, drawing)


def _plan_labelme(drawings: Drawings, target: Path, options: Options) -> Plan:
    plan = {}
    for name, drawing in drawings.items():
        path = target / f"{name}.json"
        plan[path] = partial(labelme.write, path, _beside(drawing, target / name))
    return plan


def _plan_masks(drawings: Drawings, target: Path, options: Options) -> Plan:
    def write(path: Path, drawing: Drawing) -> None:
        masks.write_mask(path, draw_mask(drawing.shapes, drawing.size, list(options.classes)))

    return {path: partial(write, path, drawing) for path, drawing in _pngs(drawings, target)}


def _plan_labels(drawings: Drawings, target: Path, options: Options) -> Plan:
    def write(path: Path, objects: list[Shape], size: tuple[int, int]) -> None:
        masks.write_labels(path, draw_labels(objects, size))

    plan = {}
    for path, drawing in _pngs(drawings, target):
        objects = [shape for shape in drawing.shapes if shape.is_object]
        if (count := len(instances(objects))) > masks.MOST_IN_PNG:
            say(f"{path}: a PNG cannot hold {count:,} objects; writing a TIFF of 32 bits instead")
            path = path.with_name(f"{path.stem}.tif")
        plan[path] = partial(write, path, objects, drawing.size)
    return plan


def _plan_coco(drawings: Drawings, target: Path, options: Options) -> Plan:
    path = target if target.suffix.lower() == ".json" else target / "annotations.json"
    return {path: partial(coco.write, path, drawings.values(), options.classes)}


def _plan_rle(drawings: Drawings, target: Path, options: Options) -> Plan:
    path = target if target.suffix.lower() == ".csv" else target / "train.csv"
    return {path: partial(kaggle.write, path, drawings)}


def _plan_geojson(drawings: Drawings, target: Path, options: Options) -> Plan:
    on_planes = {name: repeated(drawing) for name, drawing in drawings.items()}
    return _plan_outlines(on_planes, target, ".geojson", geojson.write, options)


def _plan_imagej(drawings: Drawings, target: Path, options: Options) -> Plan:
    return _plan_outlines(drawings, target, ".zip", imagej.write, options)


def _plan_outlines(
    drawings: Drawings, target: Path, suffix: str, write: Callable[..., None], options: Options
) -> Plan:
    """Plan files in which each instance is outlined along its pixels, whatever shapes it was drawn by."""

    def write_one(path: Path, drawing: Drawing) -> None:
        name = Path(drawing.image_path or path.stem).name
        write(path, name, drawing.size, objects(drawing), options.classes, tolerance=options.tolerance)

    paths = {target / f"{name}{suffix}": drawing for name, drawing in drawings.items()}
    return {path: partial(write_one, path, drawing) for path, drawing in paths.items()}


def objects(drawing: Drawing) -> Iterator[Shape]:
    """Yield the pixels of each instance, crowd and region to ignore as a ``mask`` shape."""
    held = (draw_instance(shapes, drawing.size) for shapes in instances(drawing.shapes))
    return (shape for shape in held if shape and shape.label != BACKGROUND_LABEL)


READERS: dict[str, Callable[[Path, Options], Drawings]] = {
    "labelme": _read_labelme,
    "masks": _read_masks,
    "labels": _read_labels,
    "coco": _read_coco,
    "rle": _read_rle,
    "geojson": _read_geojson,
    "imagej": _read_imagej,
}
WRITERS: dict[str, Callable[[Drawings, Path, Options], Plan]] = {
    "labelme": _plan_labelme,
    "masks": _plan_masks,
    "labels": _plan_labels,
    "coco": _plan_coco,
    "rle": _plan_rle,
    "geojson": _plan_geojson,
    "imagej": _plan_imagej,
}
KEEP_PLANES = frozenset({"geojson", "imagej"})
NEED_CLASSES = frozenset({"masks", "labels", "rle"})  # formats that know no names
OBJECTS_ONLY = frozenset({"labels", "rle"})  # formats that leave out crowds and what is to be ignored


def image_beside(stem: Path) -> Path | None:
    """Find the image of a path without suffix."""
    paths = (stem.with_name(stem.name + suffix) for suffix in files.SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def _beside_file(path: Path) -> tuple[tuple[int, int] | None, Plane | None]:
    """Read the size and the planes of the image beside a file of annotations, where there is one."""
    image = image_beside(path.with_suffix(""))
    return (files.header(image).size, stack_of(image)) if image else (None, None)


def planes_apart(drawings: Drawings) -> Drawings:
    """Make each annotated plane of a stack an image of its own.

    Raises
    ------
    UserError
        If a plane has the name of an image that is there too.
    """
    planes: Drawings = {}
    for stack, drawing in drawings.items():
        for name, plane in apart(stack, drawing):
            if name in planes:
                raise UserError(f"{name}: an image and a plane of a stack have this name; rename the image")
            planes[name] = plane
    return planes


def _each(paths: Iterable[Path], source: Path, read: Callable[[Path], Drawing]) -> Drawings:
    """Read all files, and name all mistakes at once; images are named from the folder of them all."""
    folder, drawings, problems = source if source.is_dir() else source.parent, [], []
    for path in track(list(paths), "reading"):
        try:
            drawing = read(path)
        except UserError as error:
            problems += error.messages
            continue
        inside = path.relative_to(folder)
        image_path = (inside.parent / (drawing.image_path or f"{path.stem}.png")).as_posix()
        drawings.append((inside, replace(drawing, image_path=image_path)))
    if problems:
        raise UserError(*problems)
    return _named(drawings)


def _each_image(
    source: Path, shapes: Callable[[Path], tuple[tuple[int, int], list[Shape]]], options: Options
) -> Drawings:
    """Read a folder of pixels; images are taken to have the names of their masks."""
    return _each(_found(source, files.SUFFIXES), source, lambda path: Drawing(path.name, *shapes(path)))


def _named(drawings: Iterable[tuple[Path, Drawing]]) -> Drawings:
    """Name drawings by their paths without suffix, of which no two may be the same."""
    named: Drawings = {}
    for path, drawing in drawings:
        name = path.with_suffix("").as_posix()
        if name in named:
            raise UserError(f"{path}: there are two images {name}, by other suffixes; rename one")
        named[name] = drawing
    return named


def _found(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Take a file as it is, or find those of a folder."""
    if folder.is_file():
        return [folder]
    if not folder.exists():
        raise UserError(f"{folder}: there is no such file or folder")
    paths = files.find(folder, suffixes, known=(*files.SUFFIXES, ".json"))
    if not paths:
        raise UserError(f"{folder}: the folder holds no {', '.join(suffixes)} file")
    return paths


def _only(source: Path, suffix: str) -> Path:
    """Take a file, or the only one of a folder."""
    if not source.is_dir():
        return source
    paths = [path for path in folders.entries(source) if path.suffix.lower() == suffix]
    if len(paths) != 1:
        raise UserError(
            f"{source}: the folder holds {len(paths) or 'no'} {suffix} files; name the one to convert"
        )
    return paths[0]


def _pngs(drawings: Drawings, target: Path) -> Iterable[tuple[Path, Drawing]]:
    return ((target / f"{name}.png", drawing) for name, drawing in drawings.items())


def _beside(drawing: Drawing, stem: Path) -> Drawing:
    """Name the image as it stands beside the JSON file to be, whose size it must have."""
    image = image_beside(stem)
    if image is None:
        return replace(drawing, image_path=Path(drawing.image_path or stem).name)
    size = files.header(image).size
    if size != drawing.size:
        raise UserError(f"{image}: the image is {size} (height, width), its annotation {drawing.size}")
    return replace(drawing, image_path=image.name)
