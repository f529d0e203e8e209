"""`ocelot layers sync`: make the registry's rows match the layer versions in AWS.

It starts in `run.py`, whose `sync` works on all regions at once. For each region:

1. `observe.py` lists and reads the publisher's layer versions, and makes sure of each row whose
   layer version is not listed. A region that cannot be read in full counts as unseen, and nothing
   in it is changed.
2. `plan.py` decides (pure): rows to record, to update and to delete. A row follows its layer
   version; no layer version is ever changed. In doubt, it reports and changes nothing.
3. `apply_repair` in `run.py` writes or deletes a row, unless it changed since it was read.

4. With a prefix of parameters, `parameters.py` has those of SSM name the newest layers, by the
   rules of the room `parameters`.

The rows are read before the layers. A layer version that had a row then and does not exist
afterwards was deleted: AWS never uses its number again.
"""
