"""The page on which a person accepts and rejects proposals, and its sheets."""
