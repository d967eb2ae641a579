"""Shapes and pixels: every annotation format, and the way from each to the others.

Everywhere here `size` is the height and width of the image, `classes` are the names of the classes 1, 2, ...,
`path` is the annotation file to read or to appear, and `name` is the image or file that a message names.
"""
