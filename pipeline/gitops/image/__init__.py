"""The container image of a component's commit: its name, and how it is built.

1. `request` has the component's parameters and the settings of config/gitops.yaml.
2. `reference` names the image, and has the labels by which it is recognised.
3. `registry` looks it up: an image that is there with the same labels is used again.
4. `docker`, `buildpacks` and `react` say by which steps it is built otherwise.
5. `plan` writes them as JSON, with all files that they need. The Dagger module runs them.
"""
