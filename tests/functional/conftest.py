"""Real builds of the sample. Go's own caches are shared with `ocelot build`, all else is new.

The Go caches are keyed by content, so that sharing them changes how long a test takes, not what it
shows; tests that are about an empty cache make their own.
"""

from __future__ import annotations

import fcntl
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from runs import CONFIG, Built, Ocelot, Ran, fresh_cache, run_ocelot

if TYPE_CHECKING:
    from aws_server import MotoServer
    from faulty_proxy import FaultyProxy
    from publishing import Publishing

    from pipeline.gitops.occ import Occ


@contextmanager
def one_worker(factory: pytest.TempPathFactory) -> Generator[None]:
    """Of the workers among which tests are divided, one; the others wait until it is done."""
    with (factory.getbasetemp().parent / "one-worker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    root = tmp_path_factory.mktemp("built")
    cache, folder = fresh_cache(root / "cache"), root / "dist"
    command = ("build", "-d", "minimal", "-r", "sample", "-o", folder, "--json")
    with one_worker(tmp_path_factory):  # what the first one compiles, the others find
        ran = run_ocelot(*command, "--config", CONFIG, cache=cache, cwd=root)
    assert ran.code == 0, ran.err
    return Built(folder=folder, cache=cache, ran=ran)


@pytest.fixture(scope="session")
def occ(tmp_path_factory: pytest.TempPathFactory) -> Occ:
    from gitops import compiled_occ  # noqa: PLC0415  only tests of GitOps repositories need it

    with one_worker(tmp_path_factory):  # what the first one compiles, the others find
        return compiled_occ(tmp_path_factory.mktemp("occ"))


@pytest.fixture
def ocelot(tmp_path: Path) -> Ocelot:
    """Runs `ocelot` in an empty folder with a cache of its own; `env` and `cache` may be given."""
    own = fresh_cache(tmp_path / "cache")

    def run(
        *arguments: str | Path, env: Mapping[str, str] | None = None, cache: Path | None = None
    ) -> Ran:
        return run_ocelot(*arguments, "--config", CONFIG, cache=cache or own, env=env, cwd=tmp_path)

    return run


@pytest.fixture(scope="session")
def moto() -> Generator[MotoServer]:
    """moto for all tests; `aws` before it is what they talk to."""
    from aws_server import MotoServer  # noqa: PLC0415

    with MotoServer() as server:
        yield server


@pytest.fixture
def aws(moto: MotoServer) -> Generator[FaultyProxy]:
    """An AWS of the test's own, empty."""
    from faulty_proxy import FaultyProxy  # noqa: PLC0415  boto3 is not quick to import

    moto.reset()
    with FaultyProxy(moto) as proxy:
        yield proxy


@pytest.fixture
def publishing(
    aws: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[Publishing]:
    """A publisher with two small zips and an AWS with a registry."""
    from publishing import prepared  # noqa: PLC0415

    yield from prepared(aws, tmp_path, monkeypatch)


@pytest.fixture
def published(publishing: Publishing) -> Publishing:
    """Two layers in three regions, public and recorded."""
    assert all(each.succeeded for each in publishing.publish().outcomes)
    publishing.aws.forget()
    return publishing
