"""The calls of `pipeline/aws`, read from its sources, and the permissions that they need."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from unit_examples import CHECKOUT

DOOR = CHECKOUT / "pipeline" / "aws"

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html and its like; the methods
# that boto3 adds to its clients for S3 make several calls.
PERMISSIONS = {
    "lambda:GetLayerVersionByArn": ("lambda:GetLayerVersion",),
    # Lambda reads a zip in S3 with the caller's permissions
    "lambda:PublishLayerVersion": ("lambda:PublishLayerVersion", "s3:GetObject"),
    "s3:HeadBucket": ("s3:ListBucket",),
    "s3:HeadObject": ("s3:GetObject",),
    "s3:ListObjectsV2": ("s3:ListBucket",),
    "s3:CreateMultipartUpload": ("s3:PutObject",),
    "s3:UploadPart": ("s3:PutObject",),
    "s3:CompleteMultipartUpload": ("s3:PutObject",),
    "sts:GetCallerIdentity": (),  # needs no permission
    "sts:AssumeRoleWithWebIdentity": (),  # decided by the trust policy
}
ADDED_BY_BOTO3 = {
    "upload_file": ("s3:PutObject", "s3:AbortMultipartUpload"),
    "upload_fileobj": ("s3:PutObject", "s3:AbortMultipartUpload"),
    "download_file": ("s3:HeadObject", "s3:GetObject"),
    "download_fileobj": ("s3:HeadObject", "s3:GetObject"),
}
OPTIONS = ("get_paginator", "get_waiter", "generate_presigned_url")


class UnknownCallError(Exception):
    """A call whose operation is not a literal in the sources."""


def calls(sources: dict[str, str] | None = None) -> frozenset[str]:
    """Return the calls in sources, such as lambda:ListLayers.

    Args:
        sources: text by file name; by default those of `pipeline/aws`.
    """
    given = sources or {each.name: each.read_text("utf-8") for each in DOOR.glob("*.py")}
    trees = {name: ast.parse(text, filename=name) for name, text in given.items()}
    services = {name: set(_services(tree)) for name, tree in trees.items()}
    everywhere = set[str]().union(*services.values())
    return frozenset(
        call
        for name, tree in trees.items()
        for call in _calls(tree, services[name] or everywhere, everywhere)
    )


def permissions(call: str) -> tuple[str, ...]:
    """Return the IAM actions that a call needs; by default the one of its name."""
    return PERMISSIONS.get(call, (call,))


def _services(tree: ast.Module) -> Iterator[str]:
    """Yield the services that a module makes clients of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in ("client", "make") and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant):
                yield str(first.value)
            elif _name(first) != "service":  # the parameter of Aws.client
                raise UnknownCallError(f"a client of {ast.unparse(first)}")


def _calls(tree: ast.Module, own: set[str], everywhere: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield from _operation(node.attr, own, everywhere)
        if isinstance(node, ast.Call) and _name(node.func) in OPTIONS:
            named = node.args[0]
            if not isinstance(named, ast.Constant):
                raise UnknownCallError(ast.unparse(node))
            found = list(_operation(str(named.value), own, everywhere))
            if not found:
                raise UnknownCallError(ast.unparse(node))
            yield from found
        if isinstance(node, ast.Attribute) and node.attr in ("_make_api_call", "_make_request"):
            raise UnknownCallError(ast.unparse(node))


def _operation(method: str, own: set[str], everywhere: set[str]) -> Iterator[str]:
    """Yield the calls of a client's method; none for a name that no client has."""
    if method in ADDED_BY_BOTO3 and "s3" in everywhere:
        yield from ADDED_BY_BOTO3[method]
        return
    for services in (own, everywhere):
        found = [service for service in sorted(services) if method in _methods(service)]
        if found:
            yield from (f"{_prefix(service)}:{_methods(service)[method]}" for service in found)
            return


def _prefix(service: str) -> str:
    """Return the prefix of a service's IAM actions."""
    return _model(service).signing_name


@cache
def _methods(service: str) -> dict[str, str]:
    """Return operations by the name of the client's method."""
    return {xform_name(each): each for each in _model(service).operation_names}


@cache
def _model(service: str) -> Any:  # noqa: ANN401  botocore has no types
    return _session().get_service_model(service)


@cache
def _session() -> Any:  # noqa: ANN401
    return botocore.session.Session()


def _name(node: ast.expr) -> str:
    """Return the last part of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
