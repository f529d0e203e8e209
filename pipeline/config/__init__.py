"""The files of `config/`, read and checked.

`folder.load_config` is the entry point. It reads each YAML file with `located_yaml`, which keeps
the line of every key; validates its entries by the models (a file of this room for each YAML file,
`entries.py` for what they share); checks what the files say of each other; and returns a `Config`,
or raises one `ConfigError` with all problems. `schemas` makes the JSON Schemas for editors from
the same models.
"""
