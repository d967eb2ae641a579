"""Facts about samples and their split, for a report: how many, how large, who went where, what leaks."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.consecutive import consecutive
from kerasseg.console import track
from kerasseg.data.sample import Sample
from kerasseg.data.split import Split, audit
from kerasseg.images.files import write_atomically


def describe(parts: Split, group_by: str | None, *, synthetic: bool) -> dict[str, Any]:
    """Count images, sizes and objects, and audit the split.

    Parameters
    ----------
    parts : Split
    group_by : str or None
        The attribute that it was split by.
    synthetic : bool
        Whether the data were made up.

    Returns
    -------
    dict
        ``origin``, ``images``, ``sizes``, ``objects`` and ``audit``, in JSON's types.
    """
    samples = [sample for part in parts.parts().values() for sample in part]
    found = audit(parts, group_by)
    return {
        "origin": "SYNTHETIC" if synthetic else "real",
        "images": len(samples),
        "sizes": Counter("x".join(map(str, sample.size)) for sample in samples),
        "objects": objects(samples),
        "audit": {
            "group_by": group_by,
            "groups": found.groups,
            "leaks": found.leaks,
            "warnings": found.warnings,
        },
    }


def objects(samples: Sequence[Sample]) -> int | None:
    """Count instances; None where a sample's instances were never told apart."""
    counts = []
    for sample in track(samples, "counting objects"):
        labels = sample.annotate().labels
        if labels is None:
            return None
        counts.append(np.count_nonzero(np.bincount(consecutive(labels.ravel())[1])[1:]))
    return int(sum(counts))


def write_split(path: Path, parts: Split, group_by: str | None) -> None:
    """Write a table of who went where: name, part, group, image."""
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("name", "part", "group", "image"))
        for part, samples in parts.parts().items():
            for sample in samples:
                group = sample.attributes[group_by] if group_by else sample.name
                table.writerow((sample.name, part, group, sample.image))
