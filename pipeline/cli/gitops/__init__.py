"""`ocelot gitops …`: releases for OpenChoreo through a GitOps repository; a file for each verb.

`release`, `deploy` and `promote` open a pull request there; see `pipeline/gitops/`.
"""

from __future__ import annotations

import typer

from pipeline.cli.gitops.changed import changed
from pipeline.cli.gitops.componentrelease import componentrelease
from pipeline.cli.gitops.deploy import deploy
from pipeline.cli.gitops.plan import plan
from pipeline.cli.gitops.promote import promote
from pipeline.cli.gitops.release import release
from pipeline.cli.gitops.releasebinding import releasebinding
from pipeline.cli.gitops.workload import workload

app = typer.Typer(
    help="Release components of OpenChoreo through a GitOps repository.", no_args_is_help=True
)
app.command("release")(release)
app.command("promote")(promote)
app.command("deploy")(deploy)
app.command("changed")(changed)
app.command("plan")(plan)
app.command("workload")(workload)
app.command("componentrelease")(componentrelease)
app.command("releasebinding")(releasebinding)
