"""Reaping: old layer versions are deleted, and nothing that is in use is lost.

`ocelot reap` plans in `planning.py`, and deletes from `run.py`. It works on all regions at once:

1. `request.py` turns the user's options into a `ReapRequest`; `references.py` gathers what names
   layer versions outside of AWS: the lock, files, and layers.json of releases on GitHub.
2. `observe.py` reads a region: layer versions, rows, the functions and parameters that use them.
   A region that cannot be read in full counts as unseen, and nothing in it is deleted.
3. `plan.py` decides (pure) for each layer version: keep or delete, with all reasons. The plan has a
   digest; what is deleted must be what a person has seen. `notes.py` says what was not looked at.
4. `apply.py` deletes one region's layer versions. It looks at each again, writes its tombstone, has
   no parameter name it any more (`parameters.py`), and then deletes it.

`tombstones.py` stores tombstones, in the registry or in a folder. `restore.py` publishes a deleted
layer version again, as a new one: `rebuild.py` finds or builds its zip, also by an earlier lock
that `history.py` reads from git, and `republish.py` decides (pure) how it is published.
"""
