"""The container image of a component's commit: its name, and how it is built.

1. `reference` names the image, and has the labels by which it is recognised.
2. `registry` looks it up: an image that is there with the same labels is used again.
"""
