"""Bring a release on GitHub to what is wanted: look, decide, do the next stage, and look again.

The stages are: create the draft; upload its assets; publish it. Each begins with another look, so
that a release is published only when GitHub itself names the digests of all its assets, and so that
what another run did meanwhile, or a request whose answer was lost, is seen. An interrupted run
leaves a draft, which the next run completes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio

from pipeline import progress
from pipeline.errors import RUN_AGAIN, GitHubError
from pipeline.github.api import LookAgainError, LostAnswerError, RepositoryApi, Upload
from pipeline.github.plan import AssetFile, GitHubPlan, WantedRelease, release_plan
from pipeline.github.releases import FoundRelease, tag_state
from pipeline.layer.limits import megabytes

# Uploads at a time; GitHub asks for few requests at once.
UPLOADS = 4
# Failed stages in a row after which a run gives up, with pauses of 1, 2, 4 … seconds.
FAILURES = 6
# Seconds between looks at an upload of another run.
LOOKS = 5.0
_LANE = "github"
_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class GitHubResult:
    """A release, and what was done for it.

    Attributes:
        plan: as it was decided first.
        release: as GitHub shows it at the end; None for the dry run of a new one.
        notes: for the user.
    """

    repository: str
    plan: GitHubPlan
    release: FoundRelease | None
    notes: tuple[str, ...]


async def complete_release(
    api: RepositoryApi, wanted: WantedRelease, *, dry_run: bool = False
) -> GitHubResult:
    """Create a release, or add to it what it lacks; return what was done.

    Args:
        api: of the repository.
        wanted: the release as it should be.
        dry_run: only decide.

    Raises:
        GitHubError: GitHub refuses or does not answer, or has another release.
        OutputError: a file cannot be read any more.
    """
    await api.check()
    run = _Run(api, wanted)
    first = plan = await run.plan()
    failures = 0
    while not (dry_run or plan.is_done):
        try:
            await run.do(plan)
            failures = 0
        except LookAgainError as error:
            failures += 1
            if failures == FAILURES:
                raise GitHubError(str(error), hint=RUN_AGAIN) from None
            progress.note(f"{error}; looking at the release again")
            await anyio.sleep(2 ** (failures - 1))
        plan = await run.plan()
    return GitHubResult(
        repository=api.repository,
        plan=first,
        release=plan.release,
        notes=tuple(dict.fromkeys((*first.notes, *plan.notes))),
    )


class _Run:
    """The stages of one run, with what it remembers between them."""

    def __init__(self, api: RepositoryApi, wanted: WantedRelease) -> None:
        self.api = api
        self.wanted = wanted
        self.made: int | None = None
        self.failed: set[str] = set()

    async def plan(self) -> GitHubPlan:
        """Look, and decide.

        Raises:
            GitHubError: the release that is there cannot be completed.
        """
        state = await tag_state(self.api, self.wanted.tag, self.made)
        plan = release_plan(self.wanted, state, self.failed)
        if plan.differences:
            raise GitHubError(
                f"the release {self.wanted.tag} in {self.api.repository} differs",
                hint=plan.hint,
                details=plan.differences,
            )
        return plan

    async def do(self, plan: GitHubPlan) -> None:
        """Do the next stage of a plan."""
        if plan.release is None:
            await self._create()
        elif plan.fills:
            await self._fill(plan, plan.release)
        else:
            with progress.step(_LANE, f"publish {self.wanted.tag}"):
                await self.api.write("PATCH", f"/releases/{plan.release.id}", {"draft": False})

    async def _create(self) -> None:
        wanted = self.wanted
        body: dict[str, object] = {
            "tag_name": wanted.tag,
            "name": wanted.title,
            "body": wanted.body,
            "draft": True,
            "prerelease": bool(wanted.prerelease),
        }
        if wanted.target:
            body["target_commitish"] = wanted.target
        with progress.step(_LANE, f"create a draft of {wanted.tag}"):
            self.made = (await self.api.write("POST", "/releases", body))["id"]

    async def _fill(self, plan: GitHubPlan, release: FoundRelease) -> None:
        """Change values, delete uploads that broke off, and upload assets, some at a time."""
        if plan.changes:
            with progress.step(_LANE, f"update {', '.join(plan.changes)} of {release.tag}"):
                await self.api.write("PATCH", f"/releases/{release.id}", dict(plan.changes))
        for each in plan.incomplete:
            progress.note(f"the upload of {each.name} broke off before; it is repeated")
            await self.api.write("DELETE", f"/releases/assets/{each.id}")
            self.failed.discard(each.name)
        if plan.uploads:
            await self._upload_all(plan.uploads, release)
        elif plan.waiting:
            with progress.step(_LANE, f"wait for another run's upload of {plan.waiting[0]}"):
                await anyio.sleep(LOOKS)

    async def _upload_all(self, files: tuple[AssetFile, ...], release: FoundRelease) -> None:
        limit = anyio.CapacityLimiter(UPLOADS)
        lost: list[LookAgainError] = []
        errors: list[GitHubError] = []

        async def upload(file: AssetFile) -> None:
            try:
                async with limit:
                    if not errors:
                        await self.api.upload(release.upload_url, _body(file))
                        step.line(f"{file.name}: {megabytes(file.size)}")
            except LookAgainError as error:
                if isinstance(error, LostAnswerError):
                    self.failed.add(file.name)
                lost.append(error)
            except GitHubError as error:
                errors.append(error)

        size = megabytes(sum(each.size for each in files))
        with progress.step(_LANE, f"upload {len(files)} assets, {size}") as step:
            async with anyio.create_task_group() as tasks:
                for each in files:
                    tasks.start_soon(upload, each)
        for error in (*errors, *lost):
            raise error


def _body(file: AssetFile) -> Upload:
    return Upload(name=file.name, size=file.size, pieces=partial(_pieces, file.content))


async def _pieces(content: Path | bytes) -> AsyncGenerator[bytes]:
    """Yield a file's content piece by piece, so that large ones are not in memory at once."""
    if isinstance(content, bytes):
        yield content
        return
    async with await anyio.open_file(content, "rb") as file:
        while piece := await file.read(_PIECE):
            yield piece
