"""Results of any size to OME-TIFF and OME-Zarr, with smaller levels and the size of a pixel."""
