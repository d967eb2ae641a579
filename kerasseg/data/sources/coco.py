"""Images and one COCO file that annotates them."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path

from kerasseg.annotations import coco as coco_files
from kerasseg.annotations.shapes import Drawing
from kerasseg.data.sample import Sample
from kerasseg.data.sources.layouts import wrong_layout
from kerasseg.data.sources.listing import drawn_sample, existing, listed
from kerasseg.errors import Fallback, Mistakes, Notice
from kerasseg.images import files, folders

SHOWN = 3  # images that a message lists


def coco(
    root: Path,
    classes: list[str],
    *,
    annotations: str = "annotations.json",
    images: str = ".",
    crowds: str = "ignore",
) -> list[Sample]:
    """List the images of a COCO file.

    Parameters
    ----------
    root : Path
        Folder of the data.
    classes : list of str
        Names of the classes 1, 2, ...: the file's categories that have annotations.
    annotations : str, default "annotations.json"
        The COCO file, from `root`.
    images : str, default "."
        The folder that the file's ``file_name`` starts from, from `root`.
    crowds : {"ignore", "objects"}
        Whether an annotation of ``iscrowd: 1`` is a region to ignore, or an object like any other.

    Returns
    -------
    list of Sample
        The images that the file lists; others in the folder are left alone. One that is not where its
        ``file_name`` says is the only one of that name in the folder, in any case. Each annotation is an
        instance; but a crowd to be ignored is 255 where no instance covers it, as pycocotools scores nothing
        inside it.

    Warns
    -----
    Fallback
        If annotations are ignored as crowds.
    Notice
        If images in the folder are not in the file, or not where it says.

    Raises
    ------
    MissingData
        If there is no `root`.
    UserError
        If anything is wrong with any file; all of it at once.
    """
    root = existing(root)
    file = root / annotations
    folder = root / images
    if not file.is_file():
        problem = f"{file}: there is no such file (data.source.coco.annotations)"
        raise wrong_layout(root, "coco", problem)
    mistakes = Mistakes()
    samples = []
    drawings = coco_files.read(file, crowds)
    _say_crowds(drawings, file)
    paths = _by_drawing(drawings, folder)
    _say_moved(drawings, paths, folder, file)
    for drawing, image in zip(drawings, paths, strict=True):
        with mistakes.noted():
            samples.append(drawn_sample(root, folder, image, drawing, file, classes))
    if drawings and not any(path.is_file() for path in paths):
        _note_folder(root, folder, Path(drawings[0].image_path).name, mistakes)
    mistakes.check()
    _say_unlisted(folder, file, {sample.image.resolve() for sample in samples})
    return listed(samples, root, "coco", f"images in {annotations}")


def _by_drawing(drawings: list[Drawing], folder: Path) -> list[Path]:
    """Find the image of each drawing where the file says, or as the only one of its name in the folder."""
    named = [folder / drawing.image_path for drawing in drawings]
    if all(path.is_file() for path in named):
        return named
    by_name: dict[str, list[Path]] = {}
    for path in folders.walk(folder) if folder.is_dir() else ():
        by_name.setdefault(path.name.lower(), []).append(path)
    wanted = Counter(path.name.lower() for path in named)
    return [
        by_name[name][0] if not path.is_file() and len(by_name.get(name, ())) == wanted[name] == 1 else path
        for path, name in ((path, path.name.lower()) for path in named)
    ]


def _say_moved(drawings: list[Drawing], images: list[Path], folder: Path, file: Path) -> None:
    """Say how many images were found by their name alone, and show one."""
    pairs = zip(drawings, images, strict=True)
    moved = [(drawing.image_path, image) for drawing, image in pairs if folder / drawing.image_path != image]
    if moved:
        said, image = moved[0]
        message = (
            f"{file}: {len(moved):,} of {len(images):,} images are taken by their name, as {said} is {image}"
        )
        warnings.warn(message, Notice, stacklevel=3)


def _say_crowds(drawings: list[Drawing], file: Path) -> None:
    """Say how many annotations are ignored, as many programs write crowds for painted objects."""
    shapes = [shape for drawing in drawings for shape in drawing.shapes]
    crowds = sum(shape.is_crowd for shape in shapes)
    if crowds:
        warnings.warn(
            f"{file}: {crowds} of {len(shapes)} annotations are crowds and are ignored; where they are "
            "objects, as CVAT's brush masks are, set data.source.coco.crowds to objects",
            Fallback,
            stacklevel=3,
        )


def _note_folder(root: Path, folder: Path, name: str, mistakes: Mistakes) -> None:
    """Note in which other folder an image lies."""
    for path in folders.walk(root):
        if path.name == name and path.parent.resolve() != folder.resolve():
            place = path.parent.relative_to(root).as_posix()
            mistakes.add(f"{path}: such an image lies here; set data.source.coco.images to {place}")
            return


def _say_unlisted(folder: Path, file: Path, images: set[Path]) -> None:
    """Say how many images in the folder the file does not list: they may belong to another file's part."""
    others = [path for path in files.find(folder, known=(".json",)) if path.resolve() not in images]
    if others:
        shown = ", ".join(path.name for path in others[:SHOWN]) + ", ..." * (len(others) > SHOWN)
        count = f"{len(others):,} image{'s' * (len(others) > 1)}"
        message = f"{folder}: left alone: {count} that {file.name} does not list ({shown})"
        warnings.warn(message, Notice, stacklevel=3)
