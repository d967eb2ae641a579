"""A package of the BioImage Model Zoo on disk: its description, and its files, none of which is trusted.

A package is a zip or a folder with ``rdf.yaml``, by the format's version 0.5 (bioimage.io). Files have the
SHA-256 and the names that the description says, and lie in the package; sizes are checked before reading.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError

from kerasseg.errors import UserError
from kerasseg.files import sha256

DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml")
LARGEST_DESCRIPTION = 4 << 20
LARGEST_WEIGHTS = 8 << 30
MOST_FILES = 10_000  # in a zipped SavedModel


class Parameterized(BaseModel):
    """Lengths that an axis may have: the least, and so many more at a time."""

    min: int = Field(gt=0)
    step: int = Field(gt=0)


class Reference(BaseModel):
    """The axis of another tensor that an axis is as long as."""

    tensor_id: str
    axis_id: str
    offset: int = 0


class Axis(BaseModel):
    """An axis of a tensor."""

    type: Literal["batch", "channel", "space", "time", "index"]
    id: str | None = None
    size: int | Parameterized | Reference | None = None
    halo: int = Field(0, ge=0)
    scale: float = 1.0
    channel_names: list[str] = []

    @property
    def name(self) -> str:
        """What tells it from the others: that of the batch and of the channels may have no other name."""
        return self.id or self.type


class NamedStep(BaseModel):
    """Something to be done before the network, or after it."""

    id: str
    kwargs: dict[str, Any] = {}


class Data(BaseModel):
    """The numbers of a tensor."""

    type: str = "float32"


class Tensor(BaseModel):
    """What a network takes, or what it gives."""

    id: str
    axes: list[Axis]
    data: Data | list[Data] = Data()
    preprocessing: list[NamedStep] = []
    postprocessing: list[NamedStep] = []

    @property
    def names(self) -> list[str]:
        """Its axes' names, in its order."""
        return [axis.name for axis in self.axes]

    @property
    def dtype(self) -> str:
        """The type of its numbers, where channels differ that of the first."""
        return (self.data[0] if isinstance(self.data, list) else self.data).type

    def axis(self, name: str) -> Axis:
        """Find an axis by its name."""
        return self.axes[self.names.index(name)]

    @property
    def channels(self) -> list[str]:
        """Its channels' names; that of the tensor where it has no axis for them."""
        return self.axis("channel").channel_names if "channel" in self.names else [self.id]


class Weights(BaseModel):
    """A file of weights in one of the formats."""

    source: str
    sha256: str | None = None
    external_data: Any = None


class Description(BaseModel):
    """What is read here of a package's ``rdf.yaml``."""

    format_version: str
    type: Literal["model"]
    inputs: list[Tensor] = Field(min_length=1)
    outputs: list[Tensor] = Field(min_length=1)
    weights: dict[str, Weights | None]
    config: dict[str, Any] = {}


@dataclass(frozen=True)
class Package:
    """A package on disk.

    Parameters
    ----------
    path : Path
        The zip, or the folder.
    """

    path: Path

    @cached_property
    def description(self) -> Description:
        """What ``rdf.yaml`` says, as far as it is needed here.

        Raises
        ------
        UserError
            If it is none, or of a version other than 0.5.
        """
        try:
            given = yaml.safe_load(self._content)
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise UserError(f"{self.path}: its {self._named()} is not YAML ({error})") from error
        version = str(given.get("format_version")) if isinstance(given, dict) else "none"
        if not version.startswith("0.5."):
            raise UserError(
                f"{self.path}: it follows version {version} of the BioImage Model Zoo's format, and 0.5 is "
                "read here; `bioimageio update-format` of bioimageio.core brings a package up to date"
            )
        try:
            return Description.model_validate(given)
        except ValidationError as error:
            raise UserError(*(f"{self.path}: {_mistake(each)}" for each in error.errors())) from error

    @property
    def digest(self) -> str:
        """SHA-256 of the description."""
        return hashlib.sha256(self._content).hexdigest()

    @cached_property
    def _content(self) -> bytes:
        with self._opened(self._named(), LARGEST_DESCRIPTION) as file:
            return file.read()

    @contextmanager
    def file(self, weights: Weights, suffix: str) -> Iterator[Path]:
        """Yield the path of a copy of weights, which has the SHA-256 that the description says."""
        if "://" in weights.source:
            raise UserError(
                f"{self.path}: its weights lie at {weights.source}, and nothing is fetched from there; "
                "download the package with its weights, such as by `bioimageio package`"
            )
        with TemporaryDirectory() as folder, self._opened(weights.source, LARGEST_WEIGHTS) as file:
            copy = Path(folder) / f"weights{suffix}"
            with copy.open("wb") as target:
                shutil.copyfileobj(file, target)
            if weights.sha256 not in (None, sha256(copy)):
                raise UserError(
                    f"{self.path}: {weights.source} is not the file that its description speaks of "
                    "(SHA-256); download the package again"
                )
            yield copy

    def _named(self) -> str:
        return next((name for name in DESCRIPTIONS if self._has(name)), DESCRIPTIONS[0])

    def _has(self, name: str) -> bool:
        if self.path.is_dir():
            return (self.path / name).is_file()
        try:
            with zipfile.ZipFile(self.path) as package:
                return name in package.namelist()
        except zipfile.BadZipFile as error:
            raise UserError(f"{self.path}: it is damaged ({error}); download the package again") from error

    @contextmanager
    def _opened(self, name: str, largest: int) -> Iterator[IO[bytes]]:
        """Open one of its files; what leads out of the package, or is larger than can be, is refused."""
        if leads_out(name):
            raise UserError(f"{self.path}: {name!r} leads out of the package; it is not opened")
        try:
            if self.path.is_dir():
                path = (self.path / name).resolve(strict=True)
                if not path.is_relative_to(self.path.resolve()):
                    raise UserError(f"{self.path}: {name!r} leads out of the package; it is not opened")
                self._check_size(name, path.stat().st_size, largest)
                with path.open("rb") as file:
                    yield file
            else:
                with zipfile.ZipFile(self.path) as package:
                    self._check_size(name, package.getinfo(name).file_size, largest)
                    with package.open(name) as file:
                        yield file
        except (KeyError, FileNotFoundError) as error:
            raise UserError(f"{self.path}: its file {name} is missing; download the package again") from error
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UserError(f"{self.path}: it is damaged ({error}); download the package again") from error

    def _check_size(self, name: str, size: int, largest: int) -> None:
        if size > largest:
            raise UserError(f"{self.path}: {name} has {size:,} bytes; expected at most {largest:,}")


def is_package(path: Path) -> bool:
    """Tell a package from a run: a file named as a zip, or a folder with a description."""
    if path.is_dir():
        return any((path / name).is_file() for name in DESCRIPTIONS)
    return path.suffix.lower() == ".zip" and path.is_file()


def unzip(path: Path, folder: Path) -> None:
    """Unpack a zip into a folder: plain files in it alone, not many, and not larger than weights can be.

    Raises
    ------
    UserError
        If it holds others.
    """
    try:
        with zipfile.ZipFile(path) as package:
            entries = package.infolist()
            size = sum(entry.file_size for entry in entries)
            if len(entries) > MOST_FILES or size > LARGEST_WEIGHTS:
                raise UserError(
                    f"{path.name}: it holds {len(entries)} files of {size:,} bytes, more than weights have"
                )
            for entry in entries:
                if leads_out(entry.filename) or stat.S_ISLNK(entry.external_attr >> 16):
                    raise UserError(f"{path.name}: {entry.filename!r} leads out of it; nothing is unpacked")
            package.extractall(folder)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{path.name}: these weights are damaged ({error}); download the package again"
        ) from error


def leads_out(name: str) -> bool:
    """Tell whether a name in a package is of a file elsewhere."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in path.parts[0] if path.parts else True


def _mistake(error: Any) -> str:
    place = ".".join(map(str, error["loc"]))
    return f"{place}: {error['msg'][0].lower()}{error['msg'][1:]}; the package is not valid"
