"""Run a layer on this machine as Lambda would, before it ships.

Entry points: `run.bench` measures layers and reports the figures; `gate.check_layers` is the short
run before publishing, which notes its result in the manifest. Both go through these stages:

1. `layer`: read the zip and its manifest entry.
2. `preparation`: decide how each extension is started, or why it is skipped or faulty. The
   collector is started once to list its component types; `collector` compares them with the build
   tags and configs, `collector_config` makes the config for measuring.
3. `cold_start`: start the extensions in `environment/`, a stand-in for Lambda; invoke the function,
   which sends telemetry through the layer to the receiver in `telemetry/`; send SHUTDOWN.
4. `result`: compare what was sent with what arrived, and make the figures of several starts.

A layer's faults are listed in `faults`. `reference` is a minimal extension that is started beside
the layers: a layer's figures are noted as multiples of its figures, which every machine shares.

Only `run`, `cold_start`, `environment.lambda_api`, `environment.function` and `telemetry.receiver`
need the packages of the dependency group `bench`; all other modules can be imported without them.
"""
