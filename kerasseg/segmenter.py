"""A trained model that segments images: arrays or files, of any size, in 2-D and 3-D.

segmenter = kerasseg.Segmenter.load("runs/cells/1")
labels = segmenter.labels(image)
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseg.errors import Blocked, Notice, UserError, naming
from kerasseg.images.appearance import Unlike, is_colour
from kerasseg.images.calibration import PixelSize
from kerasseg.images.headers import as_intensities
from kerasseg.images.preprocessing import MOST_CHANNELS, resize
from kerasseg.images.stores.store import Store, open_store
from kerasseg.inference import backends, int8, openvino, package, seams, tiled
from kerasseg.inference.backends import AUTO, INT8, OPENVINO, Backend, opened_when_asked
from kerasseg.inference.blending import Bands
from kerasseg.inference.forward import Forward
from kerasseg.inference.overlap import resolve_overlap
from kerasseg.inference.package_file import is_package
from kerasseg.inference.scaling import Axis, Resampled, resampled_bands
from kerasseg.inference.tiled import Pixels, gathered, predicted_bands
from kerasseg.runs.rundirectory import FAILED, FINISHED, MODEL, SPEC, STATUS, RunDirectory, existing
from kerasseg.spec import ModelSpec, TilingSettings
from kerasseg.startup import start_tensorflow

if TYPE_CHECKING:
    import keras

MADE_GREY = (
    "colour images are made grey, 0.30 red + 0.59 green + 0.11 blue; where objects are in one of these, as "
    "in fluorescence, choose it by --channel 0, 1 or 2"
)
Image = np.ndarray | str | Path
View = Callable[[Pixels], Pixels]


@dataclass(frozen=True)
class Segmenter:
    """A trained network, with all that it takes to answer for an image as it is stored.

    An image is an array (Y, X) or (Y, X, C), for a model of volumes (Z, Y, X) or (Z, Y, X, C), in any type in
    which images are stored; or the path of a file or folder that `kerasseg.images.stores.store.open_store`
    opens, which is read by region. What is asked of a model is in its `spec`: with
    ``dataclasses.replace(segmenter, spec=...)`` it answers by another threshold or tiling.

    Where the objects' `diameter` is given, in pixels, or both the model and the image's file know how large
    a pixel is, the network sees the image at the scale that it learnt at; results have the image's own size.

    Parameters
    ----------
    spec : ModelSpec
        What the network takes and gives.
    backend : Backend
        What computes: the network in this process, one on a server, or a Dask cluster.

    Examples
    --------
    >>> segmenter = kerasseg.Segmenter.load("runs/cells/1")  # doctest: +SKIP
    >>> segmenter.labels(image, diameter=30)  # doctest: +SKIP
    """

    spec: ModelSpec
    backend: Backend

    @classmethod
    def load(cls, run: str | Path, *, engine: str = AUTO) -> Segmenter:
        """Load the model of a run, a shipped model, or a package of the BioImage Model Zoo.

        The network itself is opened, and TensorFlow started, by the first image.

        Parameters
        ----------
        run : str or Path
            The run's folder, such as ``runs/cells/1``, or its ``model.keras``; a shipped model's name, such
            as ``nuclei-2d`` (`kerasseg.runs.shipped`); or a package, whoever made it: see
            `kerasseg.inference.package`.
        engine : {"auto", "tensorflow", "openvino", "int8"}
            What computes; OpenVINO is the extra ``kerasseg[openvino]``, for CPUs, and ``"int8"`` it too, with
            what ``kerasseg quantise`` made. Which one it is, the result's `settings` say; ``"auto"``: see
            `kerasseg.inference.openvino.is_best`.

        Returns
        -------
        Segmenter

        Raises
        ------
        UserError
            If there is no such run, it has no model yet, or none for the engine; and by the first image, if
            the model is damaged, is another than the specification's, or cannot be loaded safely.
        """
        path = Path(run) if is_package(Path(run)) else existing(Path(run)).path
        spec, path = read_spec(path), path.resolve()
        chosen = backends.chosen(engine, RunDirectory(path).results, spec.weights)
        computing = package.engine(path, chosen) if is_package(path) else chosen
        stored = StoredForward(path, chosen, spec.weights)
        return cls(spec, Backend(opened_when_asked(stored.open), computing, elsewhere=stored))

    @classmethod
    def connect(cls, url: str) -> Segmenter:
        """Use a model that TensorFlow Serving serves, exported by kerasseg.

        Parameters
        ----------
        url : str
            ``grpc://HOST:8500/NAME`` or ``rest://HOST:8501/NAME``.

        Returns
        -------
        Segmenter

        Raises
        ------
        UserError
            If no server answers there, or it has no such model.
        """
        from kerasseg.inference.server import client  # its packages are an extra

        forward = client.forward(url)
        return cls(forward.spec, Backend(forward))

    def probabilities(
        self, image: Image, *, diameter: float | None = None, view: View | None = None
    ) -> np.ndarray:
        """Predict the probabilities of an image at its own size: (..., K) float32 in [0, 1].

        ``spec.output_names`` says what K are: the classes, for a softmax with the background before them. For
        `view` see `predict`.
        """
        return self._answered(image, diameter, view)[1]

    def mask(self, image: Image, *, diameter: float | None = None) -> np.ndarray:
        """Predict the class of each pixel: (...) uint8, 0 for background, 1 for the first class.

        A multilabel model gives (..., K) uint8 of 0 and 1.
        """
        return self.spec.decide(self.probabilities(image, diameter=diameter))

    def labels(self, image: Image, *, diameter: float | None = None) -> np.ndarray:
        """Predict objects: (...) int32, 0 for background, numbered 1..N.

        A multilabel model gives (..., K) int32, each class numbered by itself.
        """
        fitted, probabilities = self._answered(image, diameter)
        landscape = fitted.spec.landscape(probabilities)
        return fitted.spec.label(fitted.spec.decide(probabilities), landscape)

    def fitted(self, diameter: float | None, pixel_size: PixelSize = ()) -> Segmenter:
        """Give the segmenter for images of another scale than that at which the network learnt.

        Parameters
        ----------
        diameter : float or None
            Of the objects, in pixels; None where nobody says.
        pixel_size : tuple of float or None
            Micrometres along each axis, as far as they are known.

        Returns
        -------
        Segmenter
            That sees images at the scale of the model, and numbers their objects by lengths and areas at
            their own.

        Raises
        ------
        UserError
            See `kerasseg.spec.ModelSpec.scale_of`.

        Warns
        -----
        Notice
            If images are looked at at another size than their own because of their pixels.
        """
        scale = self.spec.scale_of(diameter, pixel_size)
        if scale == self.spec.scale:
            return self
        if diameter is None:  # then nobody asked for it
            sizes = " x ".join(f"{size:.3g}" for size in pixel_size)
            warnings.warn(
                f"looking at images at {scale:.2f} of their size: their pixels have {sizes} µm, and the "
                f"model learnt at {self.spec.pixel_size:.3g}",
                Notice,
                stacklevel=2,
            )
        objects = self.spec.objects.at(self.spec.scale / scale)
        return replace(self, spec=replace(self.spec, scale=scale, objects=objects))

    def predict(
        self, image: np.ndarray, name: str, *, resized: bool = False, view: View | None = None
    ) -> np.ndarray:
        """Predict an image as it is stored, with its axis of channels.

        Parameters
        ----------
        image : numpy.ndarray, (Y, X, C) or (Z, Y, X, C)
        name : str
            The file, for messages.
        resized : bool
            Whether to leave the answer at the size at which the network looked at the image.
        view : callable, optional
            What the network sees of the image as prepared; by default that itself.

        Returns
        -------
        numpy.ndarray, (..., K) float32
        """
        pixels = self._viewed(self.spec.prepare(image, name), view)
        seen = gathered(self._bands(pixels, name), pixels.shape[:-1])
        return seen if resized or self.spec.resize is None else resize(seen, image.shape[:2])

    def bands(self, store: Store, first_row: int = 0, *, view: View | None = None) -> Bands:
        """Predict an open image of any size from a row on, a band of finished rows at a time.

        Parameters
        ----------
        store : Store
            It is read by region, unless the network looks at resized images.
        first_row : int
            Where to begin: 0, or where a band ended.
        view : callable, optional
            See `predict`.

        Returns
        -------
        iterator of (slice, numpy.ndarray)
            Rows, with their (rows, X, K) float32: a view that is valid until the next band is asked for.

        Raises
        ------
        UserError
            If a volume is given to a model of images, or an image to one of volumes.
        """
        self.spec.check_rank(store.axes, str(store.path))
        if self.spec.channels == 1 and is_colour(store):
            warnings.warn(MADE_GREY, Notice, stacklevel=2)
        if self.spec.resize is not None:
            image = store.read((slice(None), slice(None)))
            return iter([(slice(0, len(image)), self.predict(image, str(store.path), view=view))])
        pixels = self._viewed(self.backend.pixels(store, self.spec), view)
        return self._bands(pixels, str(store.path), first_row)

    def tiles(self, image: np.ndarray, name: str, most: int, *, view: View | None = None) -> list[np.ndarray]:
        """Cut out of an image as stored what the network is shown of it, but for what is beyond `most` tiles.

        Returns
        -------
        list of numpy.ndarray
            Tiles (1, ..., C) float32 from all over the image; `image`, `name` and `view`: see `predict`.
        """
        pixels = self._at_scale(self._viewed(self.spec.prepare(image, name), view))
        tiling = tiled.tiling_of(pixels, self.tiling, self.spec.stride)
        shape, chosen = (1, *tiling.tile_shape, pixels.shape[-1]), [*tiling][:: math.ceil(len(tiling) / most)]
        cut = partial(tiled.filled, image=pixels, padding=self.tiling.padding)
        return [cut(np.empty(shape, np.float32), tiles=[tile]) for tile in chosen]

    def seams(self, image: np.ndarray, name: str, *, view: View | None = None) -> seams.Seams | None:
        """Measure how much tiles differ from the whole on an image as stored; None if one tile is enough."""
        pixels = self._at_scale(self._viewed(self.spec.prepare(image, name), view))
        return seams.measure(pixels, self.backend, self.tiling, self.spec.stride)

    @cached_property
    def tiling(self) -> TilingSettings:
        """The settings of the tiles, with the overlap in pixels."""
        return resolve_overlap(self.spec)

    def settings(self) -> dict[str, Any]:
        """Give what identifies its answers, in JSON's types: a result is not mixed from two models."""
        return {
            "model": self.spec.weights,
            "engine": self.backend.name,
            "threshold": self.spec.threshold,
            "predict": asdict(self.tiling),
        }

    @contextmanager
    def on_cluster(self, scheduler: str) -> Iterator[Segmenter]:
        """Let the workers of a Dask cluster compute, such as those of ``tcp://host:8786``.

        Yields
        ------
        Segmenter
            It answers for files with the same bytes; they and the run lie where workers find them too.
        """
        from kerasseg.inference import distributed  # its package is an extra

        with distributed.connected(scheduler) as client:
            backend = distributed.DaskBackend(client, self.backend.elsewhere, self.backend.name)
            yield replace(self, backend=backend)

    def _answered(
        self, image: Image, diameter: float | None, view: View | None = None
    ) -> tuple[Segmenter, np.ndarray]:
        """Give the segmenter that suits the scale of an image, and its probabilities."""
        if isinstance(image, np.ndarray):
            fitted = self.fitted(diameter)
            pixels = as_intensities(self._with_channels(image))
            return fitted, fitted.predict(pixels, "the array", view=view)
        with open_store(Path(image)) as store:
            fitted = self.fitted(diameter, store.pixel_size)
            return fitted, gathered(fitted.bands(store, view=view), store.shape[:-1])

    def _bands(self, pixels: Pixels, name: str, first_row: int = 0) -> Bands:
        """Predict pixels as the network takes them, of the image's size but for a `resize`, from a row on."""
        seen, size = self._at_scale(pixels), pixels.shape[:-1]
        seen_size = seen.shape[:-1]
        self._warn_if_unlike(seen, name)
        first = Axis(seen_size[0], size[0]).source(slice(first_row, first_row + 1)).start
        bands = predicted_bands(seen, self.backend, self.tiling, self.spec.stride, first_row=first)
        return bands if seen is pixels else resampled_bands(bands, seen_size, size, first_row)

    def _at_scale(self, pixels: Pixels) -> Pixels:
        """Let the network see pixels at the scale that it knows."""
        if self.spec.scale == 1:
            return pixels
        return Resampled(pixels, self.spec.seen_size(pixels.shape[:-1]))

    def _warn_if_unlike(self, pixels: Pixels, name: str) -> None:
        """Say where an image, as the network sees it, is unlike those that it learnt from."""
        if self.spec.appearance and (difference := self.spec.appearance.difference(pixels)):
            message = f"{name}: unlike the images that the model learnt from, so look at the result: "
            warnings.warn(message + difference, Unlike, stacklevel=4)

    def _viewed(self, pixels: Pixels, view: View | None) -> Pixels:
        """Let the network see what it takes; refuse a stage that is to do without what it learnt by."""
        viewed = view(pixels) if view else pixels
        if viewed.shape[-1] != self.spec.channels + self.spec.beside:
            raise UserError(
                f"this model is a stage of a cascade and sees {self.spec.beside} classes that other stages "
                "find as channels beside the image; predict by the cascade's folder"
            )
        return viewed

    def _with_channels(self, image: np.ndarray) -> np.ndarray:
        """Give an array an axis of channels where it has none; refuse stacks, whose last axis is too long."""
        rank = self.spec.rank
        if image.ndim == rank:
            return image[..., None]
        if image.ndim == rank + 1 and image.shape[-1] in (*range(MOST_CHANNELS + 1), self.spec.channels):
            return image
        axes = "ZYX"[-rank:]
        raise UserError(
            f"the array has {image.ndim} axes, {image.shape}, and the model takes ({', '.join(axes)}) or "
            f"({', '.join(axes + 'C')}) with C = {self.spec.channels}; give one image at a time"
        )


def read_spec(run: Path) -> ModelSpec:
    """Read what a model takes and gives; the run is its folder or its ``model.keras``, or a package.

    Raises
    ------
    UserError
        If there is no such run, it has no model yet, or a file is damaged.
    """
    if is_package(run):
        return package.read_spec(run)
    folder = existing(run)
    if missing := [name for name in (MODEL, SPEC) if not (folder / name).is_file()]:
        raise UserError(f"{folder.path}: {_advice(folder, missing)}")
    try:
        with naming(str(folder / SPEC)):
            return ModelSpec.from_json((folder / SPEC).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{folder / SPEC}: it does not say what the model takes ({error}); train the model again"
        ) from error


def load_trained(run: Path) -> tuple[ModelSpec, keras.Model]:
    """Load a run's `ModelSpec` and its Keras model, given as the run's folder or its ``model.keras``.

    Raises
    ------
    UserError
        As `read_spec` does; `Blocked` if the model cannot be loaded safely, or is not the specification's.
    """
    start_tensorflow()
    from kerasseg.models.saved import fingerprint, load_model

    folder, spec = existing(run), read_spec(run)
    model = load_model(folder / MODEL)
    taken, given = model.input_shape, model.output_shape
    channels = spec.channels + spec.beside
    if (len(taken) - 2, taken[-1], given[-1]) != (spec.rank, channels, spec.outputs):
        raise Blocked(
            f"{folder / MODEL}: it takes {taken} and gives {given}, but {SPEC} says {spec.rank} axes, "
            f"{channels} channels and {spec.outputs} probabilities; copy both files from one run"
        )
    if fingerprint(model) != spec.weights:
        raise Blocked(f"{folder / MODEL}: its weights are not those of {SPEC}; copy both files from one run")
    return spec, model


def _advice(folder: RunDirectory, missing: list[str]) -> str:
    """Say what to do about a run of which files are missing."""
    if folder.state == FINISHED:
        return f"it has finished, but {' and '.join(missing)} is not there; copy the whole folder again"
    if folder.state == FAILED:
        error = folder.read_json(STATUS)["error"].partition("\n")[0]
        return f"this run has no trained model; it failed: {error}; correct that and run the recipe again"
    return "this run has no trained model yet; continue it with kerasseg run RECIPE --resume"


@dataclass(frozen=True)
class StoredForward:
    """The network of a run or a package, which each process opens for itself.

    Attributes
    ----------
    path : Path
    engine : str
    weights : str
        SHA-256 of the weights that it must have, by which workers that live on see that it has changed.
    """

    path: Path
    engine: str
    weights: str

    def open(self) -> Forward:
        """Load and compile the network.

        Raises
        ------
        UserError
            See `load_trained`, and `kerasseg.inference.package.open_network`.
        """
        if is_package(self.path):
            return package.open_network(self.path, self.engine)
        home = RunDirectory(self.path).results
        if self.engine == INT8:
            return int8.opened(home, self.weights)
        if self.engine == OPENVINO:
            return openvino.opened(home, read_spec(self.path), lambda: load_trained(self.path)[1])
        return backends.ENGINES[self.engine](load_trained(self.path)[1])

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Answer for a batch of tiles in a process that is asked for one network again and again."""
        return _opened(self)(batch)


@lru_cache(maxsize=1)
def _opened(stored: StoredForward) -> Forward:
    if read_spec(stored.path).weights != stored.weights:
        raise UserError(f"{stored.path}: it holds another model than the one that was asked for")
    return stored.open()
