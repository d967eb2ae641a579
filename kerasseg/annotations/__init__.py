"""Shapes and pixels: labelme, COCO, run lengths and masks, and the way from each to the others."""
