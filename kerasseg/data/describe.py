"""Facts about samples and their split, for a report: how many, how large, who went where, what leaks."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasseg.data.split import Split, audit
from kerasseg.data.survey import Contents
from kerasseg.images.files import write_atomically


def describe(
    parts: Split, contents: Contents, classes: Sequence[str], group_by: str | None, *, synthetic: bool
) -> dict[str, Any]:
    """Count images, sizes, pixels and objects, and audit the split.

    Parameters
    ----------
    parts : Split
    contents : Contents
        What all samples hold together.
    classes : sequence of str
        Names of the classes 1, 2, ...
    group_by : str or None
        The attribute that it was split by.
    synthetic : bool
        Whether the data were made up.

    Returns
    -------
    dict
        ``origin``, ``images``, ``sizes``, ``objects``, ``pixels`` of each class, ``ignored`` pixels and
        ``audit``, in JSON's types.
    """
    samples = [sample for part in parts.parts().values() for sample in part]
    found = audit(parts, group_by)
    return {
        "origin": "SYNTHETIC" if synthetic else "real",
        "images": len(samples),
        "sizes": Counter("x".join(map(str, sample.size)) for sample in samples),
        "objects": None if contents.objects is None else int(contents.objects.sum()),
        "pixels": dict(zip(classes, contents.pixels.tolist(), strict=True)),
        "ignored": contents.ignored,
        "audit": {
            "group_by": group_by,
            "groups": found.groups,
            "leaks": found.leaks,
            "warnings": found.warnings,
        },
    }


def write_split(path: Path, parts: Split, group_by: str | None) -> None:
    """Write a table of who went where: name, part, group, image."""
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("name", "part", "group", "image"))
        for part, samples in parts.parts().items():
            for sample in samples:
                group = sample.attributes[group_by] if group_by else sample.name
                table.writerow((sample.name, part, group, sample.image))


def read_split(path: Path) -> Counter[str]:
    """Count the samples of each part in a table that `write_split` wrote; none where there is no file yet."""
    if not path.exists():
        return Counter()
    with path.open(newline="", encoding="utf-8") as file:
        return Counter(row["part"] for row in csv.DictReader(file))
