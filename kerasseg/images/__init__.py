"""Pixels and files: reading, writing, channels, intensities and sizes.

Everywhere here `size` is a height and a width, `name` is the file that a message names, and `columns` the
stored axis along which an image's rows run.
"""
