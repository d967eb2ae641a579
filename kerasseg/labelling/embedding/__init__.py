"""A code for every tile of a slide, by networks or by intensities."""
