"""From a distribution's name to layers: decide (`plan.py`, `recipe.py`), then do (`apply.py`)."""
