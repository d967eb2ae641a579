"""Images of any size in files of every kind, read by region: memory holds the blocks that are asked for."""
