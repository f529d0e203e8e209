"""The components of a collector: those that upstream and the configuration offer. Pure.

Upstream's components carry their build tag in a `//go:build` line of a file under
`lambdacomponents/<kind>/`. A custom component of components.yaml gets such a file here; it is laid
over upstream's tree, with the hand-written files of `config/overlay/`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pipeline.build.gofiles import imports, uncompiled_files
from pipeline.build.source_files import left_out_note
from pipeline.config.components import Component
from pipeline.config.folder import OVERLAY, Config
from pipeline.files import Tree
from pipeline.naming import (
    ALL_TAG,
    ANY_KIND,
    CUSTOM_TAG,
    TAG_PREFIX,
    Architecture,
    component_kind,
    component_name,
    is_selected,
)

_CONSTRAINT = re.compile(rb"^//go:build (.+)$", re.MULTILINE)
_TAG = re.compile(rf"{TAG_PREFIX}\.(?:{ANY_KIND})\.(?!all\b)[a-z0-9_]+")
_COMPONENT_FILE = re.compile(rf"^lambdacomponents/(?:{ANY_KIND})/[^/]+(?<!_test)\.go$")
_DEFAULT_FILE = re.compile(r"^lambdacomponents/[^/]+(?<!_test)\.go$")


@dataclass(frozen=True, kw_only=True, slots=True)
class ComponentRow:
    """One component.

    Attributes:
        origin: `upstream`, or `custom` for one of components.yaml.
        distributions: those that have it, in the config's order.
    """

    kind: str
    name: str
    tag: str
    origin: str
    distributions: tuple[str, ...]


def offered_tags(tree: Tree) -> frozenset[str]:
    """Build tags of the components that a tree has, such as `lambdacomponents.exporter.otlp`."""
    return frozenset(tag for tag, _content in _component_files(tree))


def default_tags(tree: Tree) -> frozenset[str]:
    """Build tags of the components that upstream's default set holds.

    The default set is Go code without tags; it holds a component whose packages it imports.
    """
    imported = {
        package
        for name, content in tree.items()
        if _DEFAULT_FILE.match(name) and b"!lambdacomponents.custom" in content
        for package in imports(content)
    }
    return frozenset(
        tag
        for tag, content in _component_files(tree)
        if (own := {package for package in imports(content) if _is_component(package)})
        and own <= imported
    )


def component_rows(config: Config, tree: Tree) -> tuple[ComponentRow, ...]:
    """Every component, sorted by tag.

    Args:
        config: the configuration with its custom components.
        tree: upstream's `collector/`; its component comes before a custom one of the same tag.
    """
    own, default = offered_tags(tree), default_tags(tree)
    origins = {**dict.fromkeys(config.components, "custom"), **dict.fromkeys(own, "upstream")}
    held = {name: frozenset(config.tags(name)) for name in config.distributions}
    return tuple(
        ComponentRow(
            kind=component_kind(tag),
            name=component_name(tag),
            tag=tag,
            origin=origin,
            distributions=tuple(
                name
                for name, tags in held.items()
                if (is_selected(tag, tags) if tags else tag in default)
            ),
        )
        for tag, origin in sorted(origins.items())
    )


def _component_files(tree: Tree) -> Iterator[tuple[str, bytes]]:
    """Tag and content of each component's file."""
    for name, content in tree.items():
        if not _COMPONENT_FILE.match(name):
            continue
        for constraint in _CONSTRAINT.findall(content):
            for tag in _TAG.findall(constraint.decode(errors="replace")):
                yield tag, content


def _is_component(package: str) -> bool:
    """True for a component's package; False for the API of a kind, such as `collector/exporter`."""
    return "." in package and not re.search(rf"/collector/(?:{ANY_KIND}|component)$", package)


def added_files(overlay: Tree, components: Mapping[str, Component]) -> dict[str, bytes]:
    """Return the files to lay over upstream's tree: the overlay's, and one for each component.

    Args:
        overlay: hand-written files by path below `collector/`; Markdown is left out.
        components: the chosen custom components by tag. One whose tag a hand-written file
            carries is registered by that file.
    """
    written = {name: content for name, content in overlay.items() if not name.endswith(".md")}
    by_hand = offered_tags(written)
    generated = {
        wrapper_path(tag): wrapper(tag, component).encode()
        for tag, component in components.items()
        if tag not in by_hand
    }
    return {**generated, **written}


def uncompiled_note(
    tree: Tree, overlay: Tree, tags: Collection[str], architectures: Collection[Architecture]
) -> str:
    """Return a note with the overlay's files that Go does not compile, and why; may be empty.

    Args:
        tree: the whole source tree.
        overlay: hand-written files by path below `collector/`, without collector configs.
        tags: Go build tags.
        architectures: what is compiled for.
    """
    names = [name for name in overlay if not name.endswith(".md")]
    reasons = uncompiled_files(tree, names, tags, architectures) if names else {}
    named = (left_out_note(f"{OVERLAY}/{name}", why) for name, why in reasons.items())
    return f"not compiled: {', '.join(named)}" if reasons else ""


def wrapper_path(tag: str) -> str:
    """Where the generated Go file of a component stands, below `collector/`."""
    # the prefix keeps names such as linux_amd64 from being read as a platform by Go
    return f"lambdacomponents/{component_kind(tag)}/ocelot_{component_name(tag)}_component.go"


def wrapper(tag: str, component: Component) -> str:
    """The Go file that registers a custom component, to upstream's contract."""
    kind = component_kind(tag)
    return f"""\
//go:build {CUSTOM_TAG} && ({ALL_TAG} || {TAG_PREFIX}.{kind}.all || {tag})

// Code generated by ocelot from components.yaml. DO NOT EDIT.

package {kind}

import (
	component "{component.package}"
	"go.opentelemetry.io/collector/{kind}"
)

func init() {{
	Factories = append(Factories, func(extensionId string) {kind}.Factory {{
		return component.{component.factory}()
	}})
}}
"""
