"""`ocelot verify`."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.inputs import check_bundle_options, opened_inputs
from pipeline.cli.options import BundleOptions, CommonOptions, shared
from pipeline.cli.printing import add_summary
from pipeline.cli.running import run
from pipeline.options import VerifyOptions

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.audit.verify import Claim, Verified
    from pipeline.build.inputs import BuildInputs


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
        typer.Option(
            "--upstream-repo", "-r", help="Use the lock's entry for this upstream repository."
        ),
    ] = "",
    upstream_ref: Annotated[
        str, typer.Option("--upstream-ref", "-b", help="Use the lock's entry for this ref.")
    ] = "",
    bundled: BundleOptions,
    options: VerifyOptions,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for verification.json and verification.md."),
    ] = None,
    common: CommonOptions,
) -> None:
    """Build layers again from the lock or from a bundle, and compare them byte for byte.

    Sources are read and compiled anew, in a cache of its own. Each difference is explained; the
    exit code is 10 if there is one.
    """
    from pipeline.audit import verify as verification
    from pipeline.build.lock import read_lock
    from pipeline.files import ensure_writable

    check_bundle_options(context, bundled.bundle)
    if output:
        ensure_writable(output)
    with opened_inputs(common, bundled.bundle) as inputs:
        lock = read_lock(inputs.config.folder)
        claims = [
            (claim, verification.lock_entry(claim, lock, upstream_repo, upstream_ref))
            for each in target
            for claim in _claims(each, inputs.config.distributions)
        ]
        with _own_cache(inputs, options) as own:
            rebuild = partial(verification.verify, claims, own.config, own.upstream)
            done = run(partial(rebuild, own.compiler()))
    _report(done, output, common)
    verification.check_verified(done)


def _own_cache(inputs: BuildInputs, options: VerifyOptions) -> AbstractContextManager[BuildInputs]:
    from pipeline.build.inputs import with_own_cache

    return nullcontext(inputs) if options.shared_cache else with_own_cache(inputs)


def _claims(target: str, distributions: Collection[str]) -> list[Claim]:
    from pipeline.audit.verify import target_claims

    if not target.startswith("arn:"):
        return target_claims(Path(target))

    from pipeline.audit.published import arn_claim

    return [arn_claim(target, distributions)]


def _report(done: tuple[Verified, ...], output: Path | None, common: CommonOptions) -> None:
    from pipeline.files import write_atomic
    from pipeline.report.summary import report_markdown
    from pipeline.report.verify import verify_json, verify_report

    report, data = verify_report(done), verify_json(done)
    add_summary(report, os.environ)
    common.show(data, report)
    if output:
        write_atomic(output / "verification.json", data.encode())
        write_atomic(output / "verification.md", report_markdown(report).encode())
