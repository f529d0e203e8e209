"""Custom OpenTelemetry Collector layers for AWS Lambda, built, proven and published.

The rooms of the package, from the top down. A room imports only those in lines below its own:

- `cli`, `module`: the command line and the Dagger module, which runs its commands in containers
- `report`: tables, Markdown, JSON and progress
- `release`, `doctor`: the sequence of a release; the checks of a machine
- `audit`, `bench`, `publish`, `trust`: verify layers, run them, publish them, check GitHub's roles
- `registry`, `supply`: rows of published layers; bills of materials and provenance
- `build`: from a repository and a ref to zips
- `aws`, `github`: the only access to AWS; GitHub's formats
- `layer`: a zip, its manifest, its contents
- `config`: the files of `config/`
- `naming`, `options`, `files`, `process`, `paths`, `threads`, `progress`, `errors`: used by all
"""
