"""The bench's stand-in for Lambda: what an extension finds around it while it runs.

`lambda_api` serves the Extensions API and the Telemetry API on loopback; `events` makes the
documents that they send, and an extension's environment variables; `subscription` checks a
subscription to the Telemetry API and buffers its events.

`sandbox` starts, freezes, thaws and ends processes, and unpacks a layer into a read-only folder.
`function.py` is the function: a program that `sandbox` starts, and that sends telemetry.

`machine` describes this machine: its architecture, emulators, packages and free ports. `ocelot
doctor` uses it, too.
"""
