"""Samples shared out to learn from, to choose by and to be judged by; and what leaked between those parts."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasseg.data.sample import Sample
from kerasseg.errors import UserError, unknown
from kerasseg.files import write_atomically
from kerasseg.images.stores.volume import Stored


@dataclass(frozen=True)
class Split:
    """Three parts of the samples, no sample in two of them.

    Attributes
    ----------
    train : list of Sample
        Weights are learnt from these.
    validation : list of Sample
        These say when to stop.
    test : list of Sample
        Scores are computed from these, once.
    """

    train: list[Sample]
    validation: list[Sample]
    test: list[Sample]

    def parts(self) -> dict[str, list[Sample]]:
        """Return the parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


@dataclass(frozen=True)
class Audit:
    """What a split did.

    Attributes
    ----------
    groups : mapping of str to mapping of str to int
        Samples of each group in each part: ``groups["train"]["well A1"]``.
    leaks : list of str
        What makes scores too good: the same file or the same group in two parts.
    warnings : list of str
        What may: attributes whose values stand in several parts.
    """

    groups: Mapping[str, Mapping[str, int]]
    leaks: list[str]
    warnings: list[str]


def split(
    samples: Sequence[Sample],
    *,
    train: float = 0.8,
    test: float = 0.2,
    validation: float = 0.1,
    group_by: str | None = None,
    test_where: Mapping[str, str] | None = None,
    folds: int | None = None,
    fold: int | None = None,
    seed: int,
) -> Split:
    """Share samples out, whole groups at a time.

    Groups are put into an order that only their names and `seed` decide, so neither the order of files nor a
    library's version changes a split. The first groups are for the test, the next for validation, the others
    to learn from.

    Parameters
    ----------
    samples : sequence of Sample
        All samples, of different names.
    train, test : float, default 0.8 and 0.2
        Shares of the samples, which add up to 1.
    validation : float, default 0.1
        Share of the training samples that only watches.
    group_by : str, optional
        Attribute whose groups are never torn apart; None splits by image.
    test_where : mapping of str to str, optional
        Attributes and the values that a sample for the test has, as ``{"folder": "plate 3"}``; all others are
        learnt from, and `train` and `test` say nothing. None draws the test.
    folds : int, optional
        Into how many parts the samples are dealt for cross-validation, group by group; `train` and `test` say
        nothing then.
    fold : int, optional
        Which of them is the test, from 1, the first by default.
    seed : int
        Another seed, another split.

    Returns
    -------
    Split
        Each part as near to its share as whole groups allow, in the order of names.

    Raises
    ------
    UserError
        If shares do not add up, an attribute is unknown or empty, or a part would be empty.
    """
    if min(train, test, validation) <= 0 or validation >= 1 or abs(train + test - 1) > 1e-6:
        raise UserError(
            f"data.split: train {train:g}, test {test:g}, validation {validation:g}; train and test "
            "are shares that add up to 1, validation is a share of train between 0 and 1, and none is 0"
        )
    if test_where:
        chosen, others = _part_by_attributes(samples, test_where)
        tested = [chosen]
        learnt = _ordered_groups(others, group_by, seed)
    elif folds:
        tested, learnt = _dealt(_ordered_groups(samples, group_by, seed), folds, fold or 1)
    else:
        groups = _ordered_groups(samples, group_by, seed)
        tested, learnt = _take(groups, test * len(samples), leave=2)
    watched, learnt = _take(learnt, validation * sum(map(len, learnt)), leave=1)
    parts = Split(_flat(learnt), _flat(watched), _flat(tested))
    if empty := [name for name, part in parts.parts().items() if not part]:
        groups = len(tested) + len(watched) + len(learnt)
        by = f"in {groups} groups of {group_by}" if group_by else "each by itself"
        raise UserError(
            f"data.split: nothing is left for {' and '.join(empty)} of {len(samples)} samples {by}; at least "
            "three are needed: add data, change the shares, or group by another attribute"
        )
    return parts


def _flat(groups: Iterable[Iterable[Sample]]) -> list[Sample]:
    """List the samples of groups in the order of their names."""
    return sorted((sample for group in groups for sample in group), key=lambda sample: sample.name)


def audit(parts: Split, group_by: str | None) -> Audit:
    """Look for what two parts of a split have in common.

    Parameters
    ----------
    parts : Split
        Files of the same content are found by their bytes.
    group_by : str or None
        The attribute that it was split by; None means each image for itself.
    """
    groups = {name: Counter(_group(s, group_by) for s in part) for name, part in parts.parts().items()}
    torn = [f"group {group!r} is in {where}" for group, where in _straddling(groups)]
    return Audit(groups, torn + _same_files(parts), _straddling_attributes(parts) if group_by is None else [])


def _group(sample: Sample, group_by: str | None) -> str:
    return sample.name if group_by is None else sample.attributes[group_by]


def _part_by_attributes(
    samples: Sequence[Sample], where: Mapping[str, str]
) -> tuple[list[Sample], list[Sample]]:
    """Part the samples that have these attributes from those that have not."""
    for sample in samples:
        if strange := [name for name in where if name not in sample.attributes]:
            raise UserError(f"data.split.test_where: {unknown('attribute', strange[0], sample.attributes)}")
    chosen, others = [], []
    for sample in samples:
        (chosen if where.items() <= dict(sample.attributes).items() else others).append(sample)
    if not chosen:
        raise UserError(f"data.split.test_where: none of {len(samples)} samples has {dict(where)}")
    return chosen, others


def _ordered_groups(samples: Sequence[Sample], group_by: str | None, seed: int) -> list[list[Sample]]:
    """Collect the groups in the order of hashes of their names and the seed."""
    if group_by is not None:
        for sample in samples:
            if group_by not in sample.attributes:
                raise UserError(f"data.split.group_by: {unknown('attribute', group_by, sample.attributes)}")
        if empty := [sample.name for sample in samples if not sample.attributes[group_by]]:
            raise UserError(
                f"data.split.group_by: {group_by} is empty for {len(empty)} of {len(samples)} samples, such "
                f"as {empty[0]}; fill it in, or group by another attribute"
            )
    groups = defaultdict(list)
    for sample in _flat([samples]):
        groups[_group(sample, group_by)].append(sample)
    names = sorted(groups, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).hexdigest())
    return [groups[name] for name in names]


def _take(
    groups: list[list[Sample]], wanted: float, leave: int
) -> tuple[list[list[Sample]], list[list[Sample]]]:
    """Take first groups, one at least, until one more would lead further from `wanted`; leave some."""
    taken, count = [], 0
    for group in groups[: max(len(groups) - leave, 0)]:
        if taken and abs(count + len(group) - wanted) >= abs(count - wanted):
            break
        taken.append(group)
        count += len(group)
    return taken, groups[len(taken) :]


def _dealt(
    groups: list[list[Sample]], folds: int, fold: int
) -> tuple[list[list[Sample]], list[list[Sample]]]:
    """Deal groups like cards; give those of one fold, and the others."""
    if folds > len(groups):
        raise UserError(
            f"data.split.folds: {folds} folds of {len(groups)} groups of samples; each needs one: set it to "
            f"{len(groups)} at most, or group by another attribute"
        )
    others = [group for number, group in enumerate(groups) if number % folds != fold - 1]
    return groups[fold - 1 :: folds], others


def _straddling(parts: Mapping[str, Mapping[str, int]]) -> Iterator[tuple[str, str]]:
    """Yield what stands in several parts, and how often it stands where."""
    for value in sorted(set().union(*parts.values())):
        counts = {name: part[value] for name, part in parts.items() if value in part}
        if len(counts) > 1:
            yield value, ", ".join(f"{name} ({count})" for name, count in counts.items())


def _same_files(parts: Split) -> list[str]:
    """Compare the bytes of those files that are equally large as one in another part."""
    sizes = defaultdict(list)
    for name, part in parts.parts().items():
        for sample in part:
            sizes[sample.image.stat().st_size].append((name, sample))
    contents = defaultdict(list)
    for alike in filter(_in_several_parts, sizes.values()):
        for name, sample in alike:
            contents[_digest(sample)].append((name, sample))
    return [
        "the same file is in " + " and ".join(f"{name} ({sample.image})" for name, sample in same)
        for same in filter(_in_several_parts, contents.values())
    ]


def _digest(sample: Sample) -> bytes:
    """Digest the bytes of an image's file, or of all that it lies in."""
    digest, image = hashlib.sha256(), sample.image
    for part in image.files() if isinstance(image, Stored) else [image]:
        with part.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.digest()


def _in_several_parts(named: list[tuple[str, Sample]]) -> bool:
    return len({name for name, _ in named}) > 1


def _straddling_attributes(parts: Split) -> list[str]:
    """Tell of attributes by which the samples could have been grouped, and were not."""
    samples = [sample for part in parts.parts().values() for sample in part]
    warnings = []
    for key in samples[0].attributes if samples else ():
        values = {
            name: Counter(value for s in part if (value := s.attributes.get(key)))
            for name, part in parts.parts().items()
        }
        total = len(set().union(*values.values()))
        torn = len(list(_straddling(values)))
        if torn and total > 1:
            warnings.append(
                f"{key}: {torn} of its {total} values are in more than one part; if images of one {key} are "
                f"alike, scores are too good: set data.split.group_by={key}"
            )
    return warnings


def write_split(path: Path, parts: Split, group_by: str | None) -> None:
    """Write a table of who went where: name, part, group, image."""
    with write_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("name", "part", "group", "image"))
        for part, samples in parts.parts().items():
            for sample in samples:
                group = sample.attributes[group_by] if group_by else sample.name
                table.writerow((sample.name, part, group, sample.image))


def read_split(path: Path) -> list[dict[str, str]]:
    """Read the rows of a table that `write_split` wrote; none where there is no file yet."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
