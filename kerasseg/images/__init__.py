"""Pixels and files: reading, writing, channels, intensities and sizes."""
