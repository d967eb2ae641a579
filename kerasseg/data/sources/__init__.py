"""Where samples come from: a function for every layout of files, by the name that a recipe gives it.

Listing reads headers and annotation files, checks all of them, and names every mistake at once; pixels are
read when a sample is asked for them.
"""

from collections.abc import Callable

from kerasseg.data.sample import Sample
from kerasseg.data.sources.coco import coco
from kerasseg.data.sources.images_masks import images_masks
from kerasseg.data.sources.instances import instances
from kerasseg.data.sources.labelme import labelme
from kerasseg.data.sources.sartorius import sartorius
from kerasseg.data.sources.volumes import volumes
from kerasseg.labelling.source import labelled_tiles

SOURCES: dict[str, Callable[..., list[Sample]]] = {
    "sartorius": sartorius,
    "labelme": labelme,
    "images_masks": images_masks,
    "instances": instances,
    "coco": coco,
    "volumes": volumes,
    "queue": labelled_tiles,
}
