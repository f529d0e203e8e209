"""The files of `config/`, read and checked.

`folder.load_config` is the entry point. It returns a `Config`, or raises one `ConfigError` with the
problems of all files:

1. `located_yaml` parses a YAML file and keeps the line of every key;
2. `entries` validates the file's entries by a pydantic model, and has what all models share;
3. a file for each YAML file (`distributions`, `components`, `tuning`, `budgets`, `regions`,
   `images`, `gitops`) has the patterns, the model, and the checks against the other files;
4. `folder` puts them together as a `Config`, which answers questions about a distribution, such as
   its build tags with those of its bases.

`schemas` makes the JSON Schemas for editors from the same models.
"""
