"""A layer that was built from a lock, published and deleted with a tombstone, and is restored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from gitserver import commit, git
from publish_examples import GROUP, OPTIONS
from publishing import HOME, IRELAND, Publishing
from syncing import unpublish
from tiny import Place

from pipeline.aws.session import default_aws
from pipeline.build.inputs import BuildInputs
from pipeline.config.folder import load_config
from pipeline.files import read_tree
from pipeline.naming import LayerArn, layer_arn
from pipeline.options import TABLE
from pipeline.publish.package import read_packages
from pipeline.reap.republish import RestoreRequest
from pipeline.reap.restore import RestoreContext, RestoreResult, restore
from pipeline.reap.tombstones import Tombstones
from pipeline.registry.registry import Registry
from pipeline.registry.row import Row
from pipeline.registry.tombstone import Tombstone

DELETED = datetime(2026, 11, 1, tzinfo=UTC)
ORGANISATION = "org:o-a1b2c3d4e5"


@dataclass(kw_only=True)
class Restoring:
    """A deleted layer version, and all that it was made from.

    Attributes:
        commits: of the config folder, oldest first.
    """

    place: Place
    publishing: Publishing
    commits: list[str] = field(default_factory=list[str])

    @property
    def zip(self) -> Path:
        return self.place.dist / "collector-amd64-one.zip"

    @property
    def registry(self) -> Registry:
        return Registry(default_aws(), TABLE, HOME)

    def publish(self, *, public: bool = False, share: tuple[str, ...] = ()) -> LayerArn:
        """Publish the zip; return the ARN."""
        packages = read_packages(OPTIONS, GROUP, [self.zip])
        done = self.publishing.publish(packages=packages, public=public, share=share)
        (outcome,) = done.outcomes
        assert outcome.succeeded, outcome.error
        return layer_arn(outcome.arn)

    def tombstone(self, arn: LayerArn, **changed: Any) -> Tombstone:  # noqa: ANN401
        """Return the tombstone of a published layer version."""
        row = self.registry.row(arn)
        assert isinstance(row, Row)
        return Tombstone(row=row, deleted_at=DELETED, plan="0" * 16, **changed)

    def delete(self, arn: LayerArn, *, lock: str = "") -> Tombstone:
        """Delete a layer version as `ocelot reap` does; return its tombstone."""
        made = self.tombstone(arn, lock=lock)
        assert self.registry.bury(made, made.row)
        unpublish(self.publishing, str(arn))
        self.publishing.aws.forget()
        return made

    def deleted(self, *, lock: str = "", **policy: Any) -> Tombstone:  # noqa: ANN401
        """Publish and delete a layer version; return its tombstone."""
        return self.delete(self.publish(**policy), lock=lock)

    def commit(self) -> str:
        """Commit the config folder as it is."""
        start = self.commits[-1] if self.commits else ""
        if not start:
            git(self.place.root, "init", "--quiet", "--initial-branch=main")
        tree = {f"config/{name}": each for name, each in read_tree(self.place.config).items()}
        time = 1_700_000_000 + len(self.commits)
        self.commits.append(commit(self.place.root, tree, start=start, time=time))
        return self.commits[-1]

    def context(self, **changed: Any) -> RestoreContext:  # noqa: ANN401
        inputs = BuildInputs(config=load_config(self.place.config), cache=self.place.cache)
        registry = self.registry
        made = RestoreContext(
            aws=default_aws(),
            registry=registry,
            tombstones=registry,
            inputs=inputs,
            cache=self.place.cache,
        )
        return replace(made, **changed)

    def restore(
        self,
        arn: LayerArn,
        *,
        context: Mapping[str, object] | None = None,
        apply: bool = True,
        **request: Any,  # noqa: ANN401
    ) -> RestoreResult:
        """Restore a layer version in this process."""
        wanted = RestoreRequest(arn=arn, apply=apply, **request)
        return anyio.run(restore, wanted, self.context(**(context or {})))

    def find(self, arn: LayerArn, tombstones: Tombstones | None = None) -> Tombstone:
        """Return the tombstone as it is stored now."""
        found = (tombstones or self.registry).row(arn)
        assert isinstance(found, Tombstone)
        return found


def restoring(place: Place, publishing: Publishing, monkeypatch: pytest.MonkeyPatch) -> Restoring:
    """A locked and built place, whose layer can be published in one region."""
    publishing.regions = (IRELAND,)
    monkeypatch.chdir(place.root)
    settings = {
        "OCELOT_CACHE": str(place.cache),
        "GOPROXY": place.proxy.as_uri(),
        "GOSUMDB": "off",
        "GOPRIVATE": "",
        "GONOPROXY": "",
        "GOFLAGS": "",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return Restoring(place=place, publishing=publishing)
