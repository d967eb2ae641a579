"""Tables I and II of the C-fos paper, whose loop of labelling this is, beside our own figures.

Cai, Advanced Image Segmentation Techniques for Neural Activity Detection via C-fos Immediate Early Gene
Expression. It does not say whether its MIoU is of the foreground alone, nor how it is averaged.
"""

from __future__ import annotations

from typing import NamedTuple

CITATION = (
    "Cai, Advanced Image Segmentation Techniques for Neural Activity Detection via C-fos Immediate Early "
    "Gene Expression"
)


class Published(NamedTuple):
    """A row of one of the tables."""

    what: str
    miou: float
    f1: float


METHODS = (
    Published("untrained", 0.0122, 0.0234),
    Published("random", 0.6917, 0.7952),
    Published("cluster", 0.7312, 0.8264),
    Published("Segment Anything", 0.6045, 0.6823),
    Published("Segment Anything, cluster", 0.6731, 0.7292),
    Published("Segment Anything, cluster, iteration", 0.6837, 0.7367),
)
"""Table I."""

SIZES = {
    0: Published("0 tiles", 0.0122, 0.0234),
    5: Published("5 tiles", 0.4415, 0.4922),
    30: Published("30 tiles", 0.5904, 0.6367),
    80: Published("80 tiles", 0.6521, 0.6980),
    150: Published("150 tiles", 0.6731, 0.7292),
    250: Published("250 tiles", 0.6237, 0.6611),
}
"""Table II: labelled by Segment Anything, drawn by cluster."""
