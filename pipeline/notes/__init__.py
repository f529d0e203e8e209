"""Release notes: where the layers of a release are, what they need to start, and what changed.

A release is one distribution with one collector version in one release group, in all regions and
for all architectures. Its notes are made from files (manifest.json, publish.json, the zips) and
from the registry; GitHub is not needed, and the same inputs always give the same notes.

`layers_file.py` is layers.json: the layer versions of a release as data, for other programs.
"""
