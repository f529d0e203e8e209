"""Checks of finished layers: against a rebuild, and against known vulnerabilities.

`verify.verify` builds layers again and compares:

1. `verify` turns zips and manifests into claims, `published` layer versions in AWS; each has a lock
   entry;
2. it rebuilds each distribution once, from its lock entry;
3. `compare` explains a difference: files, then Go's build info, then bytes.

`vulnerabilities.scan` looks the Go modules of a layer up in a vulnerability database:

1. it compiles the pinned govulncheck, once;
2. it runs govulncheck on the layer's binary;
3. `findings` reads govulncheck's output as a `Scan`.
"""
