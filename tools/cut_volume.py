"""One annotated volume cut into slabs that lie side by side, so that some are learnt and others are held out.

    python tools/cut_volume.py data/ovule.h5:raw data/ovule.h5:label cut/ovule --parts 4
    kerasseg run recipes/nuclei_volumes.yaml data.source.volumes.root=cut/ovule

leaves ``images/NAME-0.tif``, ``masks/NAME-0.tif`` and so on, with the voxel size. The cuts go across the
longest axis, where they sever fewest objects; an object that was cut keeps its number on both sides.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from kerasseg.console import say
from kerasseg.errors import UserError
from kerasseg.images.stores.address import parted
from kerasseg.images.stores.volume import Volume
from kerasseg.images.writing.result import Result
from kerasseg.images.writing.tiff import write_tiff


def volume(told: str, axes: str | None) -> Volume:
    """Name a volume as it is typed: FILE, or FILE.h5:DATASET."""
    path, dataset = parted(Path(told))
    return Volume(path, axes, dataset)


def slabs(shape: tuple[int, ...], parts: int) -> list[tuple[slice, ...]]:
    """Cut (Z, Y, X) across its longest axis into parts that differ by one plane at most.

    Raises
    ------
    UserError
        If there are more parts than planes.
    """
    axis = int(np.argmax(shape))
    if not 1 <= parts <= shape[axis]:
        raise UserError(f"--parts {parts}: expected 1 to {shape[axis]}, the planes along the longest axis")
    ends = [shape[axis] * part // parts for part in range(parts + 1)]
    whole = (slice(None),) * axis
    return [(*whole, slice(start, stop)) for start, stop in itertools.pairwise(ends)]


def cut(image: Volume, mask: Volume, out: Path, parts: int) -> None:
    """Write the slabs of an image and of its mask.

    Raises
    ------
    UserError
        If they cannot be read, differ in size, or `out` is there already.
    """
    size, spacing = image.header().size, image.header().spacing or (None, None, None)
    if size != (annotated := mask.header().size):
        raise UserError(f"{mask} is {annotated}, the image {image} is {size} (depth, height, width)")
    if out.exists():
        raise UserError(f"{out}: it exists already; choose another folder")
    pixels, labels = image.read(), mask.read_values()
    for number, slab in enumerate(slabs(size, parts)):
        for folder, array in (("images", pixels), ("masks", labels)):
            (out / folder).mkdir(parents=True, exist_ok=True)
            result = Result(np.ascontiguousarray(array[slab]), "ZYXC", spacing, "nearest")
            write_tiff(out / folder / f"{image.path.stem}-{number}.tif", result)
    say(f"wrote {parts} slabs of {image} to {out}")


def main() -> None:
    """Cut what is given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", help="FILE, FILE.h5:DATASET, or a folder of slices")
    parser.add_argument("mask", help="likewise")
    parser.add_argument("out", type=Path, help="a folder that is not there yet")
    parser.add_argument("--parts", type=int, default=4)
    parser.add_argument("--axes", help="what the stored axes are, such as ZYX, where files do not say")
    given = parser.parse_args()
    try:
        cut(volume(given.image, given.axes), volume(given.mask, given.axes), given.out, given.parts)
    except UserError as error:
        parser.exit(2, "".join(f"error: {message}\n" for message in error.messages))


if __name__ == "__main__":
    main()
