"""Evidence of built layers, and the output folder.

It starts at `output.py`: `write_layers` takes a build's layers, which are still in memory. The
stages:

1. Contents (`contents.py`): the modules of each binary and its bill of materials (`sbom.py`, with
   licences by `licences.py`), from the cache where nothing changed.
2. Budget: a layer over its distribution's budget is an error, before anything is written.
3. Output: each zip, its bill of materials, its provenance (`provenance.py`, with the names and
   digests of `inputs.py`), and the manifest.
"""
