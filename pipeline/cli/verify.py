"""`ocelot verify`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.inputs import check_bundle_options, opened_inputs
from pipeline.cli.options import BundleOptions, CommonOptions, run, shared

if TYPE_CHECKING:
    from pipeline.audit.verify import Claim, Verified
    from pipeline.cli.inputs import Inputs


@shared
def verify(
    context: typer.Context,
    *,
    target: Annotated[
        list[str],
        typer.Argument(
            help="A zip, a manifest.json for all of its zips, or a layer version's ARN."
        ),
    ],
    upstream_repo: Annotated[
        str,
        typer.Option("--upstream-repo", "-r", help="Which upstream, if the lock has several."),
    ] = "",
    upstream_ref: Annotated[
        str, typer.Option("--upstream-ref", "-b", help="Which ref, if the lock has several.")
    ] = "",
    bundled: BundleOptions,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for verification.json and verification.md."),
    ] = None,
    common: CommonOptions,
) -> None:
    """Build layers again from the lock, or from a bundle, and compare them byte for byte.

    What differs is explained; the exit code is 10 then.
    """
    from pipeline.audit import verify as verification
    from pipeline.build.lock import read_lock

    check_bundle_options(context, bundled.bundle)
    with opened_inputs(common, bundled.bundle) as given:
        lock = read_lock(given.config.folder)
        claims = [
            (claim, verification.entry_of(claim, lock, upstream_repo, upstream_ref))
            for each in target
            for claim in _claims(each, given)
        ]

        work = partial(
            verification.verify,
            claims,
            given.config,
            given.upstream,
            given.compiler(),
            cache=given.cache,
        )
        done = run(work)
    _report(done, output, as_json=common.as_json)
    verification.check_verified(done)


def _claims(target: str, given: Inputs) -> list[Claim]:
    """What a target claims to be."""
    from pipeline.audit.verify import target_claims

    return [_arn_claim(target, given)] if target.startswith("arn:") else target_claims(Path(target))


def _arn_claim(target: str, given: Inputs) -> Claim:
    from pipeline.audit.verify import Claim
    from pipeline.aws.layers import download_layer, published_layer
    from pipeline.aws.session import default_aws
    from pipeline.errors import UsageError
    from pipeline.naming import architecture_and_distribution, layer_arn

    arn = layer_arn(target)
    parts = architecture_and_distribution(arn.name, given.config.distributions)
    if parts is None:
        raise UsageError(
            f"{arn.name} does not tell its architecture and distribution",
            hint="a layer is called <base>-<architecture>-<distribution>-<version>-<release group>",
        )
    published = published_layer(default_aws(), arn)
    return Claim(
        name=str(arn),
        architecture=parts[0],
        distribution=parts[1],
        sha256=published.sha256,
        content=partial(download_layer, published),
    )


def _report(done: tuple[Verified, ...], output: Path | None, *, as_json: bool) -> None:
    from pipeline.files import write_atomic
    from pipeline.github.annotations import append_summary
    from pipeline.report.rendering import markdown
    from pipeline.report.verify import verify_json, verify_report

    text, data = markdown(verify_report(done)), verify_json(done)
    append_summary(text, os.environ)
    typer.echo(data if as_json else text, nl=False)
    if output:
        write_atomic(output / "verification.json", data.encode())
        write_atomic(output / "verification.md", text.encode())
