"""The kinds of collector components; a place of their own, since importing them costs nothing."""

from __future__ import annotations

KINDS = ("receiver", "exporter", "processor", "extension", "connector")
