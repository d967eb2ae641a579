"""Segment Anything's automatic masks (Kirillov et al. 2023, doi:10.1109/ICCV51070.2023.00371) as proposals.

The network is asked at a grid of points; what it is sure of are objects, each kept once, as run lengths.
"""

from kerasseg.labelling.segment_anything.automatic import automatic_masks
from kerasseg.labelling.segment_anything.choosing import chosen
from kerasseg.labelling.segment_anything.found import Found
from kerasseg.labelling.segment_anything.kerashub import Network, SegmentAnything, network

__all__ = [
    "Found",
    "Network",
    "SegmentAnything",
    "automatic_masks",
    "chosen",
    "network",
]
