"""The labelling loop: crop a slide, embed its tiles, cluster, select, propose, review, train, repeat.

Every step reads files and writes files, in one folder for each slide, so that a person can stop after any of
them, look at what it made, change it, and go on.
"""
