"""Have the parameters in SSM name no deleted layer version. It blocks.

A parameter is moved to the layer version that `layers sync` would choose, of those that the plan
does not delete; it is deleted if there is none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipeline.aws.layers import RegionClient
from pipeline.aws.ssm import STRING, Parameter, RegionParameters
from pipeline.errors import ReapError
from pipeline.naming import LOCAL_GROUP, layer_arn, layer_name_parts, named_arns
from pipeline.parameters.apply import set_parameters
from pipeline.parameters.plan import LayerRelease, WantedParameter, wanted_parameters
from pipeline.reap.plan import VersionPlan
from pipeline.registry.registry import Registry
from pipeline.registry.row import Row
from pipeline.registry.sync.parameters import layer_releases, parameter_repairs


@dataclass(frozen=True, kw_only=True)
class NamedLayers:
    """The parameters of a region, and the releases that they may name.

    Attributes:
        parameters: of the region.
        layers: of the same region.
        registry: None for none.
        base: beginning of the publisher's layer names.
        deletions: ARNs of the layer versions that the plan deletes: no parameter is moved to them.
    """

    parameters: RegionParameters
    layers: RegionClient
    registry: Registry | None
    base: str
    deletions: frozenset[str]

    def own_names(self, release: LayerRelease) -> frozenset[str]:
        """Return the names of the parameters that publishing a release moves to it."""
        wanted = wanted_parameters(self.parameters.prefix, release)
        return frozenset(each.name for each in wanted if release.collector_version)

    def naming(self, release: LayerRelease) -> tuple[str, ...]:
        """Return the parameters that publishing moves, as far as they name a release now."""
        present = self.parameters.read(sorted(self.own_names(release)))
        return tuple(name for name, each in present.items() if each.value == release.arn)

    def check_free(self, release: LayerRelease, names: Collection[str]) -> None:
        """Check that no parameter names a release among other things: that is not changed.

        Raises:
            ReapError: one does.
            AwsError: AWS refuses or does not answer.
        """
        self._naming(release, self.parameters.read(sorted({*names, *self.own_names(release)})))

    def free(self, release: LayerRelease, names: Collection[str]) -> tuple[str, ...]:
        """Move or delete the parameters that name a release, and return a line for each.

        Args:
            release: whose layer version is deleted.
            names: of parameters that named it; its own ones are looked at, too.

        Raises:
            ReapError: one that ocelot does not write names it among other things.
            AwsError: AWS refuses or does not answer.
        """
        present = self.parameters.read(sorted({*names, *self.own_names(release)}))
        naming = self._naming(release, present)
        if not naming:
            return ()
        moves = self._moves(release, naming, present)
        set_parameters(moves, self.parameters, self.layers, deleted={release.arn})
        return (*self._moved(moves), *self._deleted(release, sorted(naming)))

    def _naming(
        self, release: LayerRelease, present: Mapping[str, Parameter]
    ) -> dict[str, Parameter]:
        """Return the parameters whose value is a release.

        Raises:
            ReapError: one has it among other things.
        """
        naming = {
            name: each for name, each in present.items() if release.arn in named_arns(each.value)
        }
        for each in naming.values():
            if each.kind != STRING or each.value != release.arn:
                raise ReapError(
                    f"the parameter {each.name}, a {each.kind}, names it among other things",
                    hint="take it out of the parameter, then run the same command again",
                )
        return naming

    def _moved(self, moves: Iterable[WantedParameter]) -> Iterator[str]:
        for each in moves:
            arn = layer_arn(each.release.arn)
            yield f"parameter {each.name} was moved to {arn.name}:{arn.version}"

    def _deleted(self, release: LayerRelease, names: Collection[str]) -> Iterator[str]:
        """Delete the parameters that still name a release: nothing else can take its place."""
        now = self.parameters.read(sorted(names))
        for name, each in now.items():
            if each.value == release.arn:
                self.parameters.delete(name)
                yield f"parameter {name} was deleted: there is no other layer that it could name"

    def _moves(
        self,
        release: LayerRelease,
        naming: Mapping[str, Parameter],
        present: Mapping[str, Parameter],
    ) -> tuple[WantedParameter, ...]:
        """Return the parameters that can name another release, which exists, with that one."""
        releases = [each for each in self._releases(release) if each.arn not in self.deletions]
        others = {name for each in releases for name in self.own_names(each)} - {*present}
        known = {**present, **self.parameters.read(sorted(others))}
        while True:
            plans, _ = parameter_repairs(
                *(releases, [release], known, {release.arn}), prefix=self.parameters.prefix
            )
            moves = tuple(each.wanted for each in plans if each.is_change and each.name in naming)
            gone = {each.release.arn for each in moves if not self._exists(each.release.arn)}
            if not gone:
                return moves
            releases = [each for each in releases if each.arn not in gone]

    def _exists(self, arn: str) -> bool:
        parsed = layer_arn(arn)
        return self.layers.version(parsed.name, parsed.version) is not None

    def _releases(self, like: LayerRelease) -> Iterator[LayerRelease]:
        """Yield the region's releases of a distribution: its rows, or its layers without rows."""
        if self.registry:
            rows = self.registry.of_distribution(like.parts.distribution).rows
            place = like.layer.rpartition(":")[0]
            own = (each for each in rows if each.arn.layer.rpartition(":")[0] == place)
            yield from layer_releases(own, self.base)
            return
        for name in self.layers.names():
            parts = layer_name_parts(name, self.base, [like.parts.distribution])
            version = parts.collector_version if parts else ""
            if parts is None or not version or parts.release_group == LOCAL_GROUP:
                continue
            for each in self.layers.versions(name):
                yield LayerRelease(
                    layer=each.arn.layer,
                    base=self.base,
                    parts=parts,
                    collector_version=version,
                    sha256=each.described_sha256,
                    number=each.arn.version,
                )


def planned_release(plan: VersionPlan, base: str) -> LayerRelease:
    """Return the release of a layer version that is to be deleted."""
    row, arn = plan.row, plan.version.arn
    return LayerRelease(
        layer=arn.layer,
        base=base,
        parts=plan.parts,
        collector_version=(row and row.collector_version_input) or plan.parts.collector_version,
        sha256=(row and row.code_sha256) or plan.version.described_sha256,
        number=arn.version,
    )


def buried_release(row: Row, base: str) -> LayerRelease | None:
    """Return the release of a tombstone's row; None if the layer's name is not ocelot's."""
    parts = layer_name_parts(row.arn.name, base, (row.distribution,))
    return parts and LayerRelease(
        layer=row.arn.layer,
        base=base,
        parts=parts,
        collector_version=row.collector_version_input or parts.collector_version,
        sha256=row.code_sha256,
        number=row.version,
    )
