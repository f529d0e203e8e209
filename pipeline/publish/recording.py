"""Keep the registry in step with what is published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import anyio

from pipeline.config import Config
from pipeline.errors import AwsError
from pipeline.naming import layer_arn, version_words
from pipeline.publish.apply import Record
from pipeline.publish.aws.asking import in_thread, is_expired
from pipeline.publish.aws.registry import Registry
from pipeline.publish.observe import FindRow
from pipeline.publish.plan import Target
from pipeline.publish.row import ForeignRow, Row, base_layer_arn

Result = TypeVar("Result")


@dataclass(frozen=True)
class Records:
    """The registry, as publishing uses it.

    Attributes:
        config: tells which distribution is based on which.
    """

    registry: Registry
    config: Config

    @property
    def based_on(self) -> dict[str, str]:
        """The distributions that have a base, with its name."""
        return {name: each.base for name, each in self.config.distributions.items() if each.base}

    async def check(self, threads: anyio.CapacityLimiter) -> None:
        """Make sure that the table is there and of the form expected.

        Raises:
            AwsError: it is not.
        """
        await self.asked(self.registry.check, threads)

    def finder(self, threads: anyio.CapacityLimiter) -> FindRow:
        """What finds the row of a layer version's ARN; one of a stranger's is as good as none."""

        async def find(arn: str) -> Row | None:
            found = await self.asked(partial(self.registry.row, layer_arn(arn)), threads)
            return found if isinstance(found, Row) else None

        return find

    def recorder(self, threads: anyio.CapacityLimiter) -> Record:
        """What writes the row of a target."""

        async def record(target: Target, arn: str, *, public: bool, base: str) -> None:
            made = partial(self._row, target, arn, public=public, base=base)
            await self.asked(lambda: self._write(made()), threads)

        return record

    async def asked(self, call: Callable[[], Result], threads: anyio.CapacityLimiter) -> Result:
        """What the registry answers; once more where the credentials have expired by now.

        Raises:
            AwsError: it does not answer, or refuses.
        """
        async with threads:
            try:
                return await in_thread(call)
            except AwsError as error:
                if not (is_expired(error) and self.registry.aws.renew()):
                    raise
            return await in_thread(call)

    def _row(self, target: Target, arn: str, *, public: bool, base: str) -> Row:
        package, layer = target.package, target.package.record
        return Row(
            arn=layer_arn(arn),
            distribution=layer.distribution,
            distribution_description=layer.description,
            base_layer_arn=base,
            architecture=layer.architecture,
            base_name=package.naming.base,
            layer_version_str=version_words(layer.collector_version),
            collector_version_input=layer.collector_version,
            md5_hash=package.md5,
            publish_timestamp=datetime.now(tz=UTC),
            public=public,
            compatible_runtimes=package.naming.runtimes,
            code_sha256=package.sha256,
            upstream_repository=layer.upstream.repository,
            upstream_ref=layer.upstream.ref,
            upstream_commit=layer.upstream.commit,
            ocelot=layer.ocelot,
            benched=layer.benched,
        )

    def _write(self, row: Row) -> None:
        base = self.based_on.get(row.distribution)  # which may be of another config
        if base and not row.base_layer_arn:
            rows = self.registry.of_distribution(base).rows
            row = replace(row, base_layer_arn=base_layer_arn(rows, row, base))
        written = self.registry.put(row)
        if not written.done:
            there = written.present
            said = there.reason if isinstance(there, ForeignRow) else "another content"
            raise AwsError(
                f"the registry has a row of {row.arn} that says something else: {said}",
                hint="look at it: ocelot layers show; it was left as it is",
            )
