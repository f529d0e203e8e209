"""A build by a Dockerfile.

The Dockerfile may lie outside its context. It is then laid into the context under a name that the
source does not use, together with the rules for ignored files that count for it, as
https://docs.docker.com/build/concepts/context/#filename-and-location describes them. The rules
ignore both files, so that no COPY finds them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pipeline.errors import UsageError, quoted
from pipeline.files import Tree
from pipeline.gitops.image.folders import SourceFolder

IGNORED = ".dockerignore"
LAID_IN = ".ocelot.Dockerfile"

_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, kw_only=True)
class DockerOptions:
    """Options of a build by Dockerfile that the workflow does not have.

    Attributes:
        arguments: of ARG instructions, by name.
        target: stage that is built; empty for the last.
        secrets: ids of the secrets that `RUN --mount=type=secret` may name.
    """

    arguments: tuple[tuple[str, str], ...] = ()
    target: str = ""
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DockerSteps:
    """A build by Dockerfile as the engine needs it.

    Attributes:
        context: folder, from the source's root.
        dockerfile: in the context.
        files: that are written into the context.
    """

    context: str
    dockerfile: str
    options: DockerOptions
    files: Tree

    def document(self, folder: str) -> dict[str, Any]:
        """Return the build as JSON values; the source's root is at `folder` of the plan."""
        return {
            "method": "docker",
            "context": str(PurePosixPath(folder, self.context)),
            "dockerfile": self.dockerfile,
            "arguments": [list(each) for each in self.options.arguments],
            "target": self.options.target,
            "secrets": list(self.options.secrets),
        }


def docker_options(arguments: list[str], target: str, secrets: list[str]) -> DockerOptions:
    """Return the options of a build.

    Args:
        arguments: each as NAME=VALUE.
        target: name of a stage, or empty.
        secrets: ids.

    Raises:
        UsageError: an argument or id cannot be used.
    """
    pairs = [each.partition("=") for each in arguments]
    for (name, equals, _), given in zip(pairs, arguments, strict=True):
        if not equals or not _ARGUMENT.fullmatch(name):
            raise UsageError(
                f"--build-arg {quoted(given)} is not NAME=VALUE", hint="write it as VERSION=1.2"
            )
    for each in secrets:
        if not _SECRET.fullmatch(each):
            raise UsageError(
                f"--build-secret-id {quoted(each)} is no id of a secret",
                hint="give the id that the Dockerfile names in RUN --mount=type=secret,id=…",
            )
    return DockerOptions(
        arguments=tuple((name, value) for name, _, value in pairs),
        target=target,
        secrets=tuple(dict.fromkeys(secrets)),
    )


def docker_steps(
    source: SourceFolder, context: str, dockerfile: str, options: DockerOptions
) -> DockerSteps:
    """Return how an image is built.

    Args:
        source: at the commit.
        context: folder, from the repository's root.
        dockerfile: file, from the repository's root.
        options: of the build.

    Raises:
        GitOpsError: the source has no such folder or file.
    """
    hint = "both are relative to the repository's root: --docker-context, --dockerfile"
    source.folder(context, "folder for docker.context:", hint)
    source.file(dockerfile, "Dockerfile", hint)
    file, root = PurePosixPath(dockerfile), PurePosixPath(context)
    if file.is_relative_to(root):
        inside = str(file.relative_to(root))
        return DockerSteps(context=context, dockerfile=inside, options=options, files={})
    name = _free_name(source, root)
    rules = _ignore_rules(source, dockerfile, root)
    files = {
        str(root / name): source.text(dockerfile).encode(),
        str(root / f"{name}{IGNORED}"): f"{rules}/{name}\n/{name}{IGNORED}\n".encode(),
    }
    return DockerSteps(context=context, dockerfile=name, options=options, files=files)


def _ignore_rules(source: SourceFolder, dockerfile: str, context: PurePosixPath) -> str:
    """Return the rules beside the Dockerfile, or else those of the context, as lines."""
    for path in (f"{dockerfile}{IGNORED}", str(context / IGNORED)):
        if source.has_file(path) and (text := source.text(path)):
            return text if text.endswith("\n") else f"{text}\n"
    return ""


def _free_name(source: SourceFolder, context: PurePosixPath) -> str:
    name, number = LAID_IN, 1
    while any(source.has_file(str(context / f"{name}{end}")) for end in ("", IGNORED)):
        number += 1
        name = f"{LAID_IN}-{number}"
    return name
