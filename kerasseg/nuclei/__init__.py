"""Nuclei found in a stack of slices, followed from slice to slice, and cut out."""
