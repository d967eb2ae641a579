"""GeoJSON as QuPath exports and imports it: a feature an object, outlined along the corners of its pixels.

A geometry's ``plane`` says its slice and frame, and maybe its channel; without one it is on the first slice
and frame (``qupath.lib.regions.ImagePlane``). Pixels are those whose centres lie inside, upper and left edges
included, as Java defines it; the masks that QuPath itself makes may differ along slanted edges, where Java2D
by default moves corners to centres of pixels. Points and lines are left out and counted, and so are cells'
nuclei, which would cover their cells.

GeoJSON knows nothing of images (RFC 7946), and QuPath takes it for the image that is open. What we write
names the image and its size in a member of its own, ``image``, which QuPath leaves alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.annotations import rings
from kerasseg.annotations.documents import Options, Plan, agreed_image, collect_errors, plan_each, read_each
from kerasseg.annotations.masks import palette
from kerasseg.annotations.planes import placed, repeated, size_and_stack_beside
from kerasseg.annotations.rings import filled_shape, pixel_objects, shape_polygons
from kerasseg.annotations.shapes import (
    CROWD,
    EVERYWHERE,
    IGNORE_LABEL,
    SCORE,
    Drawing,
    Drawings,
    Plane,
    Shape,
)
from kerasseg.errors import UserError
from kerasseg.files import read_json, write_json_list

IGNORED_CLASS = "Ignore*"  # QuPath's own name for what is not to be counted
UNCLASSIFIED = "Unclassified"  # what QuPath shows where an object has no class
_POLYGONS = {"Polygon": lambda coordinates: [coordinates], "MultiPolygon": lambda coordinates: coordinates}
# What is not an area, by what it is called and how many its coordinates are.
_NO_AREAS = {
    "Point": ("point", lambda coordinates: 1),
    "MultiPoint": ("point", len),
    "LineString": ("line", lambda coordinates: 1),
    "MultiLineString": ("line", len),
}
_NUCLEUS = "nucleusGeometry"


def read(path: Path, size: tuple[int, int] | None = None, stack: Plane | None = None) -> Drawing:
    """Read and check a GeoJSON file.

    Parameters
    ----------
    path : Path
        A FeatureCollection, a list of features, or a feature, as the versions of QuPath write them.
    size : tuple of int, optional
        Height and width of the image; what the file says of it, if it says anything, by default.
    stack : Plane, optional
        How many channels, slices and frames the image has, if that is known.

    Returns
    -------
    Drawing
        Each area as a ``mask`` shape of the pixels whose centres it contains, labelled by its classification;
        without one it is ``Unclassified``. What is not an area is left out and counted.

    Raises
    ------
    UserError
        If the file is missing or no GeoJSON, the image's size is unknown, or a feature is wrong or on a plane
        that the image does not have; all wrong ones are named at once.
    """
    path = Path(path)
    document = read_json(path)
    features = _features(document, path)
    image = document.get("image") if isinstance(document, dict) else None
    name, size = agreed_image(image, size, path)
    shapes, left_out = [], Counter()
    with collect_errors(ValueError) as reading:
        for feature_name, feature in _with_children(features):
            with reading(f"{path}: {feature_name}"):
                left_out.update(_left_out(feature))
                shapes.append(_shape(feature, size))
    drawing = Drawing(name, size, list(filter(None, shapes)), stack=stack, left_out=left_out)
    return placed(drawing, path)


def write_objects(
    path: Path,
    name: str | None,
    size: tuple[int, int],
    objects: Iterable[Shape],
    classes: Iterable[str],
    *,
    tolerance: float = 0,
    object_type: str = "detection",
) -> None:
    """Write a FeatureCollection, one object after another.

    Parameters
    ----------
    classes : iterable of str
        Names of the classes 1, 2, ..., whose colours are those of masks.
    tolerance : float, default 0
        Pixels by which an outline may move.
    object_type : {"annotation", "detection"}
        As QuPath tells apart what a person drew and what a program found.
    """
    colours = {label: palette()[number].tolist() for number, label in enumerate(classes, start=1)}
    image = {"name": name, "height": size[0], "width": size[1]}
    features = (_feature(shape, colours, tolerance, object_type) for shape in objects)
    write_json_list(path, {"type": "FeatureCollection", "image": image}, "features", features)


def write_points(
    path: Path,
    name: str | None,
    size: tuple[int, int],
    points: Iterable[tuple[float, float, Plane, Mapping[str, float]]],
) -> None:
    """Write a FeatureCollection of points, one after another.

    Parameters
    ----------
    points : iterable of (float, float, Plane, mapping)
        x and y in pixels, where (0, 0) is the middle of the first; the plane; and measurements.
    """
    image = {"name": name, "height": size[0], "width": size[1]}
    features = (
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [x + 0.5, y + 0.5], **_written_plane(plane)},
            "properties": {"objectType": "detection", "measurements": dict(measurements)},
        }
        for x, y, plane, measurements in points
    )
    write_json_list(path, {"type": "FeatureCollection", "image": image}, "features", features)


def _features(document: Any, path: Path) -> list:
    """Find the features in each of the forms that QuPath writes."""
    if isinstance(document, dict) and document.get("type") == "Feature":
        return [document]
    features = document.get("features") if isinstance(document, dict) else document
    if not isinstance(features, list):
        raise UserError(f"{path}: this is not GeoJSON; expected a FeatureCollection")
    return features


def _with_children(features: list) -> Iterator[tuple[str, Any]]:
    """Name features, each before the objects that QuPath keeps inside it."""
    waiting = [(f"feature {number}", feature) for number, feature in enumerate(features)][::-1]
    while waiting:
        name, feature = waiting.pop()
        yield name, feature
        children = feature.get("childObjects") if isinstance(feature, dict) else None
        if isinstance(children, list):
            waiting += [(f"{name}, child {number}", child) for number, child in enumerate(children)][::-1]


def _geometry(feature: Any) -> tuple[str | None, dict]:
    geometry = _mapping(feature, "geometry") if isinstance(feature, dict) else {}
    kind = geometry.get("type")
    return (kind if isinstance(kind, str) else None), geometry


def _left_out(feature: Any) -> dict[str, int]:
    """Count what of a feature is not read."""
    kind, geometry = _geometry(feature)
    counts = {"nucleus": 1} if isinstance(feature, dict) and feature.get(_NUCLEUS) else {}
    if kind in _NO_AREAS:
        called, number = _NO_AREAS[kind]
        counts[called] = number(_listed(geometry.get("coordinates")))
    return counts


def _shape(feature: Any, size: tuple[int, int]) -> Shape | None:
    """Read one feature, None if it has no pixels; a ValueError says what is wrong."""
    kind, geometry = _geometry(feature)
    if kind in _NO_AREAS:
        return None
    if kind not in _POLYGONS:
        expected = " or ".join([*_POLYGONS, *_NO_AREAS])
        raise ValueError(f"its geometry is {kind}; expected {expected}")
    polygons = _listed(_POLYGONS[kind](geometry.get("coordinates")))
    polygons = [[_ring(points) for points in _listed(rings)] for rings in polygons]
    if geometry.get("isEllipse"):
        polygons = [[_ellipse(polygons[0][0])]]
    properties = _mapping(feature, "properties")
    # What other formats know too is kept: a crowd, and a score.
    crowd = _mapping(properties, "metadata").get(CROWD) == "1"
    score = _mapping(properties, "measurements").get(SCORE)
    other = ({CROWD: 1} if crowd else {}) | ({} if score is None else {SCORE: score})
    filled = filled_shape(polygons, size, _label(properties), other)
    return replace(filled, plane=_plane(geometry)) if filled else None


def _plane(geometry: dict) -> Plane:
    """Read the plane, by default the first; QuPath's channel -1 stands for all."""
    plane = {"c": -1, "z": 0, "t": 0} | _mapping(geometry, "plane")
    if not all(isinstance(plane[axis], int) for axis in "czt") or min(plane["z"], plane["t"]) < 0:
        raise ValueError(f"its plane is {plane}; expected whole numbers c, z and t")
    return Plane(None if plane["c"] < 0 else plane["c"], plane["z"], plane["t"])


def _ellipse(ring: np.ndarray) -> np.ndarray:
    """Outline within a hundredth of a pixel an ellipse, which QuPath knows by its box."""
    low, high = ring.min(axis=0), ring.max(axis=0)
    count = 64 + 8 * min(int((high - low).max()), 1 << 16)
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return (low + high + (high - low) * np.stack([np.cos(turn), np.sin(turn)], axis=1)) / 2


def _listed(value: Any) -> list:
    if not isinstance(value, list) or not value:
        raise ValueError("its coordinates are not a list of rings")
    return value


def _ring(points: Any) -> np.ndarray:
    try:
        ring = np.array([point[:2] for point in points], np.float64)
    except (TypeError, ValueError, KeyError):
        ring = np.empty(0)
    if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3 or not np.isfinite(ring).all():
        raise ValueError("a ring is not a list of three or more [x, y]")
    return ring


def _label(properties: dict) -> str:
    """Name the class; where QuPath derives it from others it is a list of their names."""
    plain = properties.get("classification")
    given = {"name": plain} if isinstance(plain, str) else _mapping(properties, "classification")
    names = given.get("names")
    if given.get("name"):  # before QuPath 0.4 a derived class has its own name, and what it is derived from
        names = []
        while given.get("name"):
            names.insert(0, given["name"])
            given = _mapping(given, "parentClass")
    name = ": ".join(map(str, names if isinstance(names, list) else ())) or UNCLASSIFIED
    return IGNORE_LABEL if name == IGNORED_CLASS else name


def _mapping(given: dict, key: str) -> dict:
    value = given.get(key)
    return value if isinstance(value, dict) else {}


def _feature(
    shape: Shape, colours: dict[str, list[int]], tolerance: float, object_type: str
) -> dict[str, Any]:
    polygons = [[_closed(ring) for ring in rings] for rings in shape_polygons(shape, tolerance)]
    single = len(polygons) == 1
    geometry: dict[str, Any] = {
        "type": "Polygon" if single else "MultiPolygon",
        "coordinates": polygons[0] if single else polygons,
    }
    geometry |= _written_plane(shape.plane)
    classification = {"name": IGNORED_CLASS if shape.label == IGNORE_LABEL else shape.label}
    if shape.label in colours:
        classification["color"] = colours[shape.label]
    properties: dict[str, Any] = {"objectType": object_type, "classification": classification}
    if shape.is_crowd:
        properties["metadata"] = {CROWD: "1"}
    if SCORE in shape.other:
        properties["measurements"] = {SCORE: shape.other[SCORE]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _written_plane(plane: Plane) -> dict[str, dict[str, int]]:
    """Give the member of a geometry that says its plane; none where it lies on all."""
    if plane == EVERYWHERE:
        return {}
    return {"plane": {"c": -1 if plane.c is None else plane.c, "z": plane.z or 0, "t": plane.t or 0}}


def _closed(ring: np.ndarray) -> list[list[float]]:
    """List a ring's corners, the first once more at the end; whole numbers without a dot."""
    closed = np.concatenate([ring, ring[:1]])
    return (closed.astype(int) if (closed == closed.round()).all() else closed).tolist()


def read_drawings(source: Path, options: Options) -> Drawings:
    """Read a folder of GeoJSON files, or one; images beside them say how large they are."""
    return read_each(source, (".geojson",), lambda path: read(path, *size_and_stack_beside(path)))


def plan(drawings: Drawings, target: Path, options: Options) -> Plan:
    """Plan a file for each drawing, with each instance along its pixels, whatever shapes it was drawn by."""

    def write(path: Path, drawing: Drawing) -> None:
        write_objects(
            path,
            Path(drawing.image_path or path.stem).name,
            drawing.size,
            pixel_objects(repeated(drawing)),
            options.classes,
            tolerance=options.tolerance,
            object_type="annotation",
        )

    return plan_each(drawings, target, ".geojson", write)


outline_drawings = partial(rings.outline_drawings, rings.JAVA)
