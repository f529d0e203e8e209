"""What the module's functions that publish are called with: layers, credentials, places."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aws_mended import web_token
from aws_server import ACCOUNT
from dagger import dag
from dagger_engine import Engine, Node, Value
from dagger_module import Values, all_goes_well, exported_folder
from publish_examples import dist
from publishing import FRANCE, IRELAND, Publishing

KEYS = {"access_key_id": "AKIAOCELOTOCELOTOCEL", "secret_access_key": "very-s3cret-key"}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/publisher"
TOKEN = web_token("repo:acme/layers:environment:publish")
PLACE = {"regions": f"{IRELAND},{FRANCE}", "table_region": "us-east-1", "public": True}


def answers(
    engine: Engine, publishing: Publishing, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A working folder as a module's function has it, and no AWS but the one that is named."""
    (folder / "work").mkdir()
    monkeypatch.chdir(folder / "work")
    for name in publishing.aws.environment():
        if name.startswith("AWS_") and name != "AWS_CA_BUNDLE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    publishing.regions = [IRELAND, FRANCE]
    all_goes_well(engine)
    engine.answer("Directory.export", exported)
    engine.answer("Secret.plaintext", lambda node, _: {**KEYS, "token": TOKEN}[secret_of(node)])


def exported(node: Node, arguments: Values) -> Value:
    path = Path(arguments["path"])
    return str(dist(path)) if path.name == "layers" else exported_folder(node, arguments)


def secret_of(node: Node) -> str:
    return str(node.calls("setSecret")[0].arguments["name"])


def secret(name: str, value: str = "x") -> Callable[[], Awaitable[str]]:
    async def made() -> str:
        return await dag.set_secret(name, value).id()

    return made


async def layers() -> str:
    return await dag.directory().with_new_directory("layers").id()


def by_key(publishing: Publishing) -> dict[str, Any]:
    secrets = {name: secret(name) for name in KEYS}
    return {**PLACE, **secrets, "endpoint_url": publishing.aws.url}


def by_role(publishing: Publishing) -> dict[str, Any]:
    token = secret("token")
    return {**PLACE, "role_arn": ROLE, "oidc_token": token, "endpoint_url": publishing.aws.url}


def handed_out() -> dict[str, Any]:
    return json.loads((Path.cwd() / ".ocelot" / "published" / "publish.json").read_text())


def use_aws_here(publishing: Publishing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process look at that AWS."""
    for name, value in publishing.aws.environment().items():
        monkeypatch.setenv(name, value)
