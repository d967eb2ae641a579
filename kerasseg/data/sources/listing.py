"""What all sources share: a root that exists, images that are images, mistakes collected into one error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kerasseg.data.sample import MissingData, Sample
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.embedded import Embedded


class Mistakes:
    """Messages of all that is wrong, raised together."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def add(self, message: str) -> None:
        """Note one mistake."""
        self.messages.append(message)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note a mistake that ends the block, and go on after it."""
        try:
            yield
        except UserError as error:
            self.messages += error.messages

    def check(self) -> None:
        """Raise all that was noted.

        Raises
        ------
        UserError
            If there is anything.
        """
        if self.messages:
            raise UserError(*self.messages)


def existing(root: Path) -> Path:
    """Return the root of the data.

    Raises
    ------
    MissingData
        If there is no such folder, or nothing in it.
    """
    root = Path(root)
    if not root.is_dir() or next(root.iterdir(), None) is None:
        problem = "the folder is empty" if root.is_dir() else "there is no such folder"
        raise MissingData(
            f"{root}: {problem}; put the data there, or set data.source's root to where they are"
        )
    return root


def one_class(classes: list[str], source: str) -> None:
    """Refuse several classes where the files tell only one from the background.

    Raises
    ------
    UserError
        If there is not exactly one class.
    """
    if len(classes) != 1:
        raise UserError(
            f"data.classes names {', '.join(classes)}; the source {source} knows one class: name one, or use "
            "images_masks, labelme or coco, which know several"
        )


def image_size(path: Path | Embedded) -> tuple[int, int]:
    """Return an image's height and width by its header.

    Raises
    ------
    UserError
        If it cannot be read, or is a stack of planes.
    """
    header = files.header(path)
    if header.pages > 1:
        raise UserError(f"{path}: the file is a stack of {header.pages} planes; expected a single image")
    return header.size


def annotated_size(image: Path, annotation: Path) -> tuple[int, int]:
    """Return the size of an image and of the image file that annotates it.

    Raises
    ------
    UserError
        If either cannot be read, or they differ.
    """
    size, annotated = image_size(image), image_size(annotation)
    check_size(image, size, annotation, annotated)
    return size


def check_size(
    image: Path | Embedded,
    size: tuple[int, int],
    annotation: Path,
    annotated: tuple[int, int],
    key: str = "",
) -> None:
    """Refuse an annotation of another size than its image's.

    Raises
    ------
    UserError
        If the sizes differ.
    """
    if size != annotated:
        of = f" of {key}" if key else ""
        raise UserError(
            f"{annotation}: the annotation{of} is {_shown(annotated)}, the image {image} is {_shown(size)}; "
            "annotate the image as it is, or put that image back"
        )


def by_stem(folder: Path, paths: Iterable[Path], mistakes: Mistakes) -> dict[str, Path]:
    """Name images by their paths in `folder` without suffix, and note those that are not unique."""
    named: dict[str, Path] = {}
    for path in paths:
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in named:
            mistakes.add(f"{path}: {named[name].name} has the same name; rename or remove one of them")
        named.setdefault(name, path)
    return named


def some(samples: list[Sample], root: Path, expected: str) -> list[Sample]:
    """Return the samples.

    Raises
    ------
    UserError
        If there are none.
    """
    if not samples:
        raise UserError(f"{root}: no sample was found; expected {expected}")
    return samples


def folder_of(image: Path, root: Path) -> dict[str, str]:
    """Return the attribute that samples of every source have."""
    inside = image.is_relative_to(root)
    return {"folder": (image.relative_to(root) if inside else image).parent.as_posix()}


def _shown(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} (height x width)"
