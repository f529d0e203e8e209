"""Usage: which functions of an account use which of the publisher's layer versions.

`ocelot layers used` starts in `run.py`. `observe.py` reads the functions of a region, `plan.py`
decides (pure) which of them are behind the newest layer version and how each is moved, `update.py`
moves a function. Functions of other accounts cannot be seen.
"""
