"""The options of `ocelot gitops` that the command line and the Dagger module share."""

from typing import Annotated

from pipeline.spread import Opt, option_group


@option_group
class GitOpsOptions:
    """The GitOps repository."""

    repository: Annotated[
        str | None,
        Opt("GitOps repository: owner/name, a git URL, or a path; default: config/gitops.yaml."),
    ] = None
    branch: Annotated[
        str | None, Opt("Its branch that pull requests go to; default: config/gitops.yaml.")
    ] = None
    namespace: Annotated[
        str | None, Opt("OpenChoreo's namespace; default: config/gitops.yaml.")
    ] = None


@option_group
class PushOptions:
    """A push to a source repository."""

    base: Annotated[
        str | None,
        Opt("Commit before the push; of an unknown one, all Components are released."),
    ] = None
    head: Annotated[str, Opt("Newest commit of the push; zeros for a deleted branch.")] = "HEAD"
    repo_url: Annotated[
        str | None,
        Opt("URL of the source repository; default: GitHub Actions' own, or git's origin."),
    ] = None
    revision_branch: Annotated[
        str | None, Opt("Branch of the push; default: GitHub Actions' own, or the current one.")
    ] = None
    project: Annotated[
        list[str] | None, Opt("Release Components of this project only, may be repeated.")
    ] = None


@option_group
class WorkflowOptions:
    """The parameters of an OpenChoreo workflow, instead of the Component's own."""

    workflow: Annotated[
        str | None,
        Opt(
            "docker-gitops-release, google-cloud-buildpacks-gitops-release or "
            "react-gitops-release; default: the Component's."
        ),
    ] = None
    repo_url: Annotated[str | None, Opt("URL of the source repository.")] = None
    revision_branch: Annotated[
        str | None, Opt("Branch whose newest commit is released, if no commit is given.")
    ] = None
    commit: Annotated[str | None, Opt("Commit: a SHA (short too), a tag or a branch.")] = None
    app_path: Annotated[str | None, Opt("Folder of the application in the repository.")] = None
    descriptor: Annotated[str | None, Opt("Workload descriptor, relative to --app-path.")] = None
    docker_context: Annotated[
        str | None, Opt("Docker: build context, relative to the repository's root.")
    ] = None
    dockerfile: Annotated[
        str | None, Opt("Docker: Dockerfile, relative to the repository's root.")
    ] = None
    builder_image: Annotated[str | None, Opt("Buildpacks: image of the builder.")] = None
    build_env: Annotated[
        list[str] | None,
        Opt("Buildpacks: a variable of the build, may be repeated.", metavar="KEY=VALUE"),
    ] = None
    node_version: Annotated[str | None, Opt("React: version of Node.js: 16, 18, 20 or 22.")] = None
    build_command: Annotated[str | None, Opt("React: shell command that builds.")] = None
    output_dir: Annotated[
        str | None, Opt("React: folder with the result, relative to --app-path.")
    ] = None


@option_group
class PromoteOptions:
    """The components to promote, and their target."""

    project: Annotated[str | None, Opt("Promote the components of this project.")] = None
    all_projects: Annotated[bool, Opt("Promote the components of all projects.", flags="--all")] = (
        False
    )
    environment: Annotated[str | None, Opt("Environment to promote to; default: development.")] = (
        None
    )
    pipeline: Annotated[
        str | None, Opt("Deployment pipeline of that environment; default: the project's.")
    ] = None


@option_group
class ImageOptions:
    """How an image is built, besides the parameters of the workflow."""

    platform: Annotated[
        list[str] | None,
        Opt("linux/amd64 or linux/arm64, may be repeated; default: the engine's own."),
    ] = None
    build_arg: Annotated[
        list[str] | None,
        Opt("Docker: value of an ARG, may be repeated.", metavar="NAME=VALUE"),
    ] = None
    target: Annotated[str | None, Opt("Docker: stage to build; default: the last.")] = None
    build_secret_id: Annotated[
        list[str] | None,
        Opt("Docker: id of a secret in `RUN --mount=type=secret`, may be repeated."),
    ] = None
    registry_user: Annotated[
        str | None, Opt("User of the registry.", variable="OCELOT_REGISTRY_USER")
    ] = None
    rebuild: Annotated[bool, Opt("Build the image even if it is in the registry already.")] = False


@option_group
class DeployOptions:
    """The release of a component in an environment, and its settings there."""

    release: Annotated[
        str | None,
        Opt(
            "Name of the ComponentRelease; default: the previous environment's, or with --set the "
            "one that is bound.",
        ),
    ] = None
    set: Annotated[
        list[str] | None,
        Opt("A setting of the environment, may be repeated.", metavar="KEY=VALUE"),
    ] = None


@option_group
class DeliveryOptions:
    """The branch and the pull request in the GitOps repository."""

    dry_run: Annotated[bool, Opt("Show what would change; push nothing.")] = False
    no_pr: Annotated[
        bool, Opt("Push the branch alone, and print the address for comparing it.")
    ] = False
    with_project: Annotated[
        bool, Opt("Add a missing ProjectReleaseBinding for the environment.")
    ] = False
    api_url: Annotated[
        str,
        Opt("Address of GitHub's API, or of an Enterprise server's.", variable="GITHUB_API_URL"),
    ] = "https://api.github.com"


@option_group
class ReleaseCommitOptions:
    """The commit whose image is released, beside the options of its workflow."""

    environment: Annotated[
        str | None, Opt("Environment to release to; default: the first of the pipeline.")
    ] = None
    commit_time: Annotated[
        int | None,
        Opt("Time of --commit in seconds since the epoch, if it is known.", minimum=0),
    ] = None
    replace_newer: Annotated[
        bool, Opt("Release an older commit although the release of a newer one is open.")
    ] = False
