"""Defaults that the command line and its Dagger twins share; importing them costs nothing."""

from __future__ import annotations

UPSTREAM_REPO = "open-telemetry/opentelemetry-lambda"
UPSTREAM_REF = "main"

LAYER_NAME = "ocel"
RELEASE_GROUP = "beta"
# The set of regions.yaml that is meant where none is named.
REGIONS = "default"
TABLE = "PublishedCustomCollectorExtensionLayers"
# GitHub's environment whose jobs may publish, as oidc/cloudformation.yaml has it.
ENVIRONMENT = "publish"
