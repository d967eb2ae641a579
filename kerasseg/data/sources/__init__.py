"""Where samples come from: a function for every layout of files; the sections of a recipe name them.

Listing reads headers and annotation files, checks all of them, and names every mistake at once; pixels are
read when a sample is asked for them.
"""
