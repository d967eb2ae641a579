"""Microscopes' and medicine's own formats, read by region through the libraries that know them."""
