"""Layers in AWS: published in every region at once, recorded in the registry, kept in step.

It starts in `run.py`, whose `publish` is the list of steps. `request.py` reads a user's options,
`package.py` the zips. `reconcile.py` brings one zip in one region to the state that is wanted, in a
thread of its own: it looks, `plan.py` decides, and what is missing is done. `aws/` is the
only way to AWS. `row.py`, `table.py` and `history.py` are the registry, `sync/` makes it follow the
layers, and `fetch.py` reads back what AWS serves.
"""
