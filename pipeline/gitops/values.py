"""The values that count among those given, each checked for the form of its parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pipeline.config.entries import suggestion
from pipeline.errors import UsageError, quoted
from pipeline.gitops.given import Given, schema_default
from pipeline.gitops.image.reference import read_reference
from pipeline.gitops.names import DNS_LABEL, is_dns_label
from pipeline.gitops.urls import shown_url, url_fault
from pipeline.gitops.workflows import Default, WorkflowSchema

# A subset of what `git check-ref-format` allows, without a leading dash.
REVISION = re.compile(
    r"(?!-)(?!.*(\.\.|@\{|//|/\.|\.lock(/|\Z)))(?![./])[^\x00-\x20\x7f~^:?*\[\\]{1,250}(?<![./])"
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f\\]")


class GivenValues:
    """The values of a workflow's parameters.

    All methods raise the error of the value's place for one that cannot be used.
    """

    def __init__(
        self,
        layers: Sequence[Mapping[str, Given]],
        defaults: Mapping[str, Default],
        schemas: Sequence[WorkflowSchema] = (),
    ) -> None:
        """Set the values.

        Args:
            layers: values by parameter, those that count first before others.
            defaults: of the parameters; None for none.
            schemas: those of Workflow resources, whose defaults count more.
        """
        self._layers = layers
        self._defaults = defaults
        self._schemas = schemas

    def is_given(self, parameter: str) -> bool:
        """Return True if the value is not a default."""
        return any(parameter in each for each in self._layers)

    def check_same(self, parameter: str, expected: str) -> None:
        """Refuse a value that contradicts the command line, wherever it is given."""
        for each in self._layers:
            if parameter in each and each[parameter].value != expected:
                raise each[parameter].fault(f"is not {expected!r}, which the command line names")

    def text(self, parameter: str) -> str:
        """Return a value without more checks; empty for none."""
        return self._value(parameter).text

    def flag(self, parameter: str) -> bool:
        """Return a value that is true or false."""
        return self._value(parameter).value is True

    def label(self, parameter: str, kind: str) -> str:
        """Return the name of a resource of some kind; empty for none."""
        found = self._value(parameter)
        if found.text and not is_dns_label(found.text):
            raise found.fault(f"cannot be the name of a {kind}, which matches {DNS_LABEL}")
        return found.text

    def url(self, parameter: str) -> str:
        """Return the URL of a repository; empty for none."""
        found = self._value(parameter)
        if found.text and (fault := url_fault(found.text)):
            raise found.fault(fault, shown=quoted(shown_url(found.text)))
        return found.text

    def revision(self, parameter: str) -> str:
        """Return a branch, tag or SHA; empty for none."""
        found = self._value(parameter)
        if found.text and not REVISION.fullmatch(found.text):
            raise found.fault("cannot be a branch, a tag or a commit's SHA")
        return found.text

    def path(self, parameter: str) -> str:
        """Return a path without a leading `/`; `.` for the folder that it starts from."""
        found = self._value(parameter)
        parts = [each for each in found.text.split("/") if each not in ("", ".")]
        if ".." in parts:
            raise found.fault("leads out of its folder", hint="give a path without `..`")
        if _UNSEEN.search(found.text):
            raise found.fault("has a backslash or a character that cannot be shown")
        return "/".join(parts) or "."

    def file(self, parameter: str) -> str:
        """Return the path of a file."""
        path = self.path(parameter)
        if path == ".":
            raise self._value(parameter).fault("is a folder, and no file")
        return path

    def image(self, parameter: str) -> str:
        """Return the reference of an image."""
        found = self._value(parameter)
        try:
            read_reference(found.text)
        except UsageError as error:
            raise found.fault("is no name of an image", error.hint) from error
        return found.text

    def choice(self, parameter: str, choices: Sequence[str]) -> str:
        """Return a value that is one of several."""
        found = self._value(parameter)
        if found.text not in choices:
            near = suggestion(found.text, choices)
            raise found.fault(f"is none of {', '.join(choices)}{near}")
        return found.text

    def command(self, parameter: str) -> str:
        """Return a command for a shell."""
        found = self._value(parameter)
        if "\0" in found.text or not found.text.strip():
            raise found.fault("is no command")
        return found.text

    def variables(self, parameter: str) -> tuple[tuple[str, str], ...]:
        """Return name and value of each variable, in their order; no error shows a value."""
        found = self._value(parameter)
        pairs: dict[str, str] = {}
        for at, each in enumerate(found.value if isinstance(found.value, tuple) else (), 1):
            name, equals, value = each.partition("=")
            if not equals or not _VARIABLE.fullmatch(name) or "\0" in value:
                raise found.fault(f"variable {at} is not KEY=VALUE", shown="")
            if name in pairs:
                raise found.fault(f"variable {name} is given twice", shown="")
            pairs[name] = value
        return tuple(pairs.items())

    def _value(self, parameter: str) -> Given:
        for each in self._layers:
            if parameter in each:
                return each[parameter]
        for schema in self._schemas:
            if found := schema_default(schema, parameter):
                return found
        default = self._defaults[parameter]
        return Given(value="" if default is None else default, name=f"default of {parameter}")
