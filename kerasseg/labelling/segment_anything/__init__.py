"""Segment Anything's automatic masks (Kirillov et al. 2023, doi:10.1109/ICCV51070.2023.00371) as proposals.

The network is asked at a grid of points; what it is sure of are objects, each kept once, as run lengths.
"""
