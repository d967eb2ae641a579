"""The review queue: its file, what may become of a tile, and what people drew and decided."""
