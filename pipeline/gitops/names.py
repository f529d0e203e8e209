"""Names of Kubernetes, and the names that OpenChoreo's workflows give to their results."""

from __future__ import annotations

import re

from pipeline.errors import UsageError, quoted
from pipeline.naming import DNS_LABEL, LONGEST_LABEL

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
LONGEST_NAME = 253
# Digits of a commit in the names of releases and tags, and in titles.
SHORT_COMMIT = 8


def is_dns_label(text: str) -> bool:
    """Return True for a name that Kubernetes accepts for a namespace, and OpenChoreo for all."""
    return len(text) <= LONGEST_LABEL and re.fullmatch(DNS_LABEL, text) is not None


def is_dns_name(text: str) -> bool:
    """Return True for a name that Kubernetes accepts for most resources: labels joined by dots."""
    labels = text.split(".")
    return len(text) <= LONGEST_NAME and all(re.fullmatch(DNS_LABEL, each) for each in labels)


def dns_label(text: str, kind: str) -> str:
    """Return a name that the user gave.

    Args:
        text: the name.
        kind: of what it is the name, such as `project`, for the error.

    Raises:
        UsageError: it is no DNS label.
    """
    if not is_dns_label(text):
        raise UsageError(
            f"{quoted(text)} cannot be the name of a {kind}",
            hint=f"use at most {LONGEST_LABEL} lowercase letters, digits and hyphens; a hyphen "
            "neither first nor last",
        )
    return text
