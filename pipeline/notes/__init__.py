"""Release notes: where the layers of a release are, what they need to start, and what changed.

A release is one distribution with one collector version in one release group, in all regions and
for all architectures. Its notes are made from files (manifest.json, publish.json, the zips) and
from the registry; GitHub is not needed, and the same inputs always give the same notes.

It starts in `release.py`, whose `release_notes` returns the notes as a value in these stages:

1. `publish.published` reads publish.json, or the registry has the rows of the zips.
2. `contents.py` reads the zips of the manifest, or the bills of materials beside it, into
   `facts.py`: the facts of a release.
3. `last.py` finds the last release: in a folder, or in the registry, and downloads its zip.
4. `difference.py` compares the facts of both (pure).

`pipeline.report.notes` shows the value as Markdown and as JSON. `layers_file.py` is layers.json:
the layer versions of a release as data, for other programs.
"""
