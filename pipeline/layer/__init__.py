"""A layer: its zip, the manifest beside it, its limits, and the contents of a finished zip.

Writing: `zip.pack` makes a layer's zip; `manifest.update_manifest` records it in the folder's
`manifest.json`; `limits` has AWS Lambda's limits and `budget` those of `config/budgets.yaml`.

Reading: `inspection.inspect_layer` is the entry point. It needs no Go and no sources, since all it
reads is in the zip:

1. `layerfile` unpacks the zip, which may come from anywhere, and finds the collector's binary;
2. `elf` finds the binary's sections;
3. `buildinfo` reads the Go version, the modules and the build settings;
4. `functions` reads the table of functions;
5. `sizes` counts the bytes of each package and module;
6. `components` finds the collector components;
7. `unused_methods` finds the functions for which the linker kept unused methods, if it did.
"""
