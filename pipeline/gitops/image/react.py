"""A build by Node.js, whose result nginx serves.

Packages are installed by the lock file that is there, and never otherwise than it says. The build
runs as the image's user `node`; only the package manager is installed as root.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, cast

from pipeline.errors import GitOpsError
from pipeline.gitops.image.folders import SourceFolder
from pipeline.gitops.image.steps import BuildContainer, Command, Mount

# The images of config/gitops.yaml's `images`, where it names none: indexes over architectures.
NODE_IMAGES = {
    "16": "node:16-alpine@sha256:a1f9d027912b58a7c75be7716c97cfbc6d3099f3a97ed84aa490be9dee20e787",
    "18": "node:18-alpine@sha256:8d6421d663b4c28fd3ebc498332f249011d118945588d0a35cb9bc4b8ca09d9e",
    "20": "node:20-alpine@sha256:fb4cd12c85ee03686f6af5362a0b0d56d50c58a04632e6c0fb8363f609372293",
    "22": "node:22-alpine@sha256:8094c002d08262dba12645a3b4a15cd6cd627d30bc782f53229a2ec13ee22a00",
}
NGINX_IMAGE = (
    "nginxinc/nginx-unprivileged:1.29-alpine"
    "@sha256:0c79d56aee561a1d81c63f00eee5fb5fe29279560cdc55e91425133104c7fbe6"
)
# The first port that a user other than root may listen on everywhere.
UNPRIVILEGED_PORT = 1024
NODE_USER, NODE_HOME = "node", "/home/node"
SOURCE_DIR = "/source"
PAGES, NGINX_CONFIG = "/usr/share/nginx/html", "/etc/nginx/nginx.conf"
# Users of the nginx image.
NGINX_USER, ROOT = "101:101", "0:0"

_NPM_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
_PNPM_OF_LOCKFILE = {"5": "7", "6": "8", "9": "9"}
# A newer Yarn than the one that wrote a lock file would write it anew, which --immutable forbids.
_YARN_OF_LOCKFILE = {
    "4": "3.0",
    "5": "3.1",
    "6": "3.8",
    "8": "4.12",
    "9": "4.14",
    "10": "4.18",
}
_CLASSIC_YARN = "1.22.22"
_VERSION = r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?"


@dataclass(frozen=True, kw_only=True)
class Packages:
    """How an application's packages are installed.

    Attributes:
        manager: npm package of the package manager; empty for npm, which the image has.
        install: program and arguments.
    """

    manager: str
    install: tuple[str, ...]


def packages(source: SourceFolder, app: str) -> Packages:
    """Return how packages are installed, by the application's lock file.

    Args:
        source: at the commit.
        app: the application's folder.

    Raises:
        GitOpsError: there is no package.json, or the lock file's version is not known.
    """
    folder = PurePosixPath(app)
    source.file(str(folder / "package.json"), "file", "give the application's folder: --app-path")
    if any(source.has_file(str(folder / each)) for each in _NPM_LOCKS):
        return Packages(manager="", install=("npm", "ci"))
    named = _package_manager(source.text(str(folder / "package.json")))
    if source.has_file(yarn := str(folder / "yarn.lock")):
        return _yarn(source.text(yarn), named, yarn)
    if source.has_file(pnpm := str(folder / "pnpm-lock.yaml")):
        found = re.search(r"^lockfileVersion:\s*['\"]?(\d+)", source.text(pnpm), re.MULTILINE)
        version = named.get("pnpm") or _known(_PNPM_OF_LOCKFILE, found, pnpm)
        return Packages(manager=f"pnpm@{version}", install=("pnpm", "install", "--frozen-lockfile"))
    return Packages(manager="", install=("npm", "install"))


def _yarn(lock: str, named: Mapping[str, str], path: str) -> Packages:
    found = re.search(r"^__metadata:\s*\n\s+version:\s*(\d+)", lock, re.MULTILINE)
    if found is None:
        version = named.get("yarn", _CLASSIC_YARN)
        return Packages(manager=f"yarn@{version}", install=("yarn", "install", "--frozen-lockfile"))
    version = named.get("yarn") or _known(_YARN_OF_LOCKFILE, found, path)
    return Packages(
        manager=f"@yarnpkg/cli-dist@{version}", install=("yarn", "install", "--immutable")
    )


def _known(versions: Mapping[str, str], found: re.Match[str] | None, path: str) -> str:
    """Return the package manager's version for that of its lock file."""
    if found is None or found[1] not in versions:
        raise GitOpsError(
            f"{path} has a version that is not known",
            hint="name the package manager with its version as packageManager in package.json",
        )
    return versions[found[1]]


def _package_manager(text: str) -> dict[str, str]:
    """Return name and version of package.json's packageManager; empty if there is none."""
    try:
        found: Any = json.loads(text)
        value = cast("dict[str, Any]", found).get("packageManager")
    except (ValueError, AttributeError):
        value = None
    match = re.match(rf"(yarn|pnpm)@({_VERSION})(\+|$)", str(value))
    return {match[1]: match[2]} if match else {}


@dataclass(frozen=True, kw_only=True)
class Server:
    """The image that serves the result.

    Attributes:
        image: nginx, by digest.
        port: on which it listens.
    """

    image: str
    port: int

    @property
    def user(self) -> str:
        """The user as whom nginx starts; as root it answers requests as another user all the same.

        Kubernetes lets others than root listen on a port below 1024 only with some runtimes.
        """
        return NGINX_USER if self.port >= UNPRIVILEGED_PORT else ROOT


@dataclass(frozen=True, kw_only=True)
class ReactSteps:
    """A build by Node.js as the engine needs it.

    Attributes:
        node: the container in which it is built.
        result: folder of the result in that container.
        server: the image that serves it.
    """

    node: BuildContainer
    result: str
    server: Server

    def document(self) -> dict[str, Any]:
        """Return the build as JSON values."""
        return {
            "method": "react",
            "container": self.node.document(),
            "result": self.result,
            "server": {
                "image": self.server.image,
                "user": self.server.user,
                "port": self.server.port,
                "config": "nginx.conf",
                "config_path": NGINX_CONFIG,
                "pages": PAGES,
            },
        }


@dataclass(frozen=True, kw_only=True)
class Application:
    """A React application.

    Attributes:
        folder: from the source's root.
        build_command: for a shell.
        output_dir: folder with the result, from the application's folder.
    """

    folder: str
    build_command: str
    output_dir: str


def react_steps(
    source: SourceFolder, application: Application, node_image: str, server: Server
) -> ReactSteps:
    """Return how an application is built and served.

    Raises:
        GitOpsError: the application has no package.json, or a lock file that is not known.
    """
    found = packages(source, application.folder)
    workdir = str(PurePosixPath(SOURCE_DIR, application.folder))
    result = str(PurePosixPath(workdir, application.output_dir))
    manager = Command(
        name="package manager",
        argv=("npm", "install", "--global", "--force", found.manager),
        root=True,
    )
    node = BuildContainer(
        image=node_image,
        user=NODE_USER,
        workdir=workdir,
        folders=(Mount(source="source", target=SOURCE_DIR),),
        caches={f"{NODE_HOME}/.npm": "ocelot-npm"},
        environment={"npm_config_fund": "false", "npm_config_audit": "false"},
        commands=(
            *((manager,) if found.manager else ()),
            Command(name="install", argv=found.install),
            # this parameter of the workflow is a shell's command
            Command(name="build", argv=("sh", "-c", application.build_command)),
            Command(
                name="check",
                argv=("test", "-f", f"{result}/index.html"),
                failures={1: f"the build made no index.html in {application.output_dir}"},
            ),
        ),
    )
    return ReactSteps(node=node, result=result, server=server)


# A bundler puts a hash of the content into a file's name: hex digits, or 8 of base64url. Where a
# word could be meant, the file is not taken for hashed.
_HASHED = (
    r"/(static|assets)/.*[.-]((?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,}"
    r"|(?=[\w-]*[0-9])(?=[\w-]*[A-Z])[\w-]{8})(\.chunk)?\.[a-z0-9]+(\.map)?$"
)


def nginx_config(port: int) -> str:
    """Return the whole configuration of nginx for a single-page application.

    Pages that are no files get index.html. Files with a hash in their name are kept by browsers for
    a year, all others are looked up anew each time.
    """
    user = "" if port >= UNPRIVILEGED_PORT else "user nginx;\n"
    return f"""{user}worker_processes auto;
pid /tmp/nginx.pid;
error_log /dev/stderr warn;
events {{
    worker_connections 1024;
}}
http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /dev/stdout;
    client_body_temp_path /tmp/client_body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    server_tokens off;
    sendfile on;
    gzip on;
    gzip_vary on;
    gzip_types text/css text/javascript application/javascript application/json image/svg+xml;
    server {{
        listen {port};
        root {PAGES};
        location ~ "^{_HASHED}" {{
            try_files $uri =404;
            add_header Cache-Control "public, max-age=31536000, immutable";
            add_header X-Content-Type-Options nosniff;
        }}
        location / {{
            try_files $uri $uri/index.html /index.html;
            add_header Cache-Control no-cache;
            add_header X-Content-Type-Options nosniff;
        }}
    }}
}}
"""
