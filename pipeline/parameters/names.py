"""The names of parameters in SSM."""

from __future__ import annotations

import re

from pipeline.errors import UsageError, quoted
from pipeline.naming import Architecture

LATEST = "latest"

# https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
_PREFIX = re.compile(r"(?:/[A-Za-z0-9_.-]+)+")
_RESERVED = re.compile(r"/(?:aws|ssm)", re.IGNORECASE)
LEVELS = 15
# Distribution, architecture and version follow the prefix.
OWN_LEVELS = 3
# Of a whole name AWS accepts 1011 characters, its ARN included; the rest is for the other levels.
LONGEST_PREFIX = 512


def parameter_prefix(text: str) -> str:
    """Return the prefix of parameters' names, such as `/ocel`.

    Raises:
        UsageError: SSM does not accept it.
    """
    levels = text.count("/")
    if not _PREFIX.fullmatch(text):
        problem = "is no path"
    elif _RESERVED.match(text):
        problem = "begins with aws or ssm, which AWS keeps for itself"
    elif levels + OWN_LEVELS > LEVELS:
        problem = f"has {levels} levels, and {OWN_LEVELS} more follow; SSM accepts {LEVELS}"
    elif len(text) > LONGEST_PREFIX:
        problem = f"has {len(text)} characters; the limit is {LONGEST_PREFIX}"
    else:
        return text
    raise UsageError(
        f"{quoted(text)} cannot be the prefix of parameters: it {problem}",
        hint="give one such as /ocel to --ssm-prefix: levels of letters, digits, '.', '_' and '-', "
        "each after a slash",
    )


def parameter_name(
    prefix: str, distribution: str, architecture: Architecture, version: str = LATEST
) -> str:
    """Return a parameter's name, such as `/ocel/minimal/arm64/0.158.0`.

    Args:
        prefix: such as `/ocel`.
        distribution: its name.
        architecture: of the layer.
        version: the collector's, such as v0.158.0, of which the v is left out; or `latest`.
    """
    last = re.sub(r"[^A-Za-z0-9_.-]", "_", version.removeprefix("v"))
    return f"{prefix}/{distribution}/{architecture}/{last}"
