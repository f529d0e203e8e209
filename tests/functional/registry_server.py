"""Debian's docker-registry on loopback, with a password and TLS if a test wants them.

    with RegistryServer(folder, password=True) as registry:
        digest = registry.push("shop-catalog-image", "v1", labels={"a": "b"})

Images that tests push have no layers, since only manifests and configs are read.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import trustme
import yaml

PROGRAM = shutil.which("docker-registry")
USER, PASSWORD = "publisher", "s3cret-registry"
# bcrypt of the password
_HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuu2PM.CK/c6oWfv6epfx.iEKsZ1xTyVpm\n"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


class RegistryServer:
    """A registry whose files are in a folder.

    Attributes:
        host: 127.0.0.1 and the port.
        authority: file with the certificate of its authority; None without TLS.
    """

    def __init__(self, folder: Path, *, password: bool = False, tls: bool = False) -> None:
        self._folder = folder
        self._auth = (USER, PASSWORD) if password else None
        self._tls = tls
        self.authority: Path | None = None
        self.host = ""

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{probe.getsockname()[1]}"
        (self._folder / "config.yml").write_text(yaml.safe_dump(self._config()))
        self._log = (self._folder / "log").open("wb")
        command = [str(PROGRAM), "serve", str(self._folder / "config.yml")]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        verify = ssl.create_default_context(cafile=self.authority) if self.authority else True
        url = f"{'https' if self._tls else 'http'}://{self.host}"
        self._http = httpx.Client(base_url=url, auth=self._auth, verify=verify, trust_env=False)
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._process.terminate()
        self._process.wait(10)
        self._log.close()

    def _config(self) -> dict[str, Any]:
        http: dict[str, Any] = {"addr": self.host, "secret": "any"}
        config: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(self._folder / "data")}},
            "http": http,
        }
        if self._auth:
            (self._folder / "htpasswd").write_text(_HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "r", "path": str(self._folder / "htpasswd")}}
        if self._tls:
            authority, certificate = trustme.CA(), self._folder / "certificate.pem"
            issued = authority.issue_cert("127.0.0.1")
            issued.private_key_and_cert_chain_pem.write_to_path(certificate)
            self.authority = self._folder / "authority.pem"
            authority.cert_pem.write_to_path(self.authority)
            http["tls"] = {"certificate": str(certificate), "key": str(certificate)}
        return config

    def _wait(self) -> None:
        for _ in range(200):
            try:
                self._http.get("/v2/").raise_for_status()
            except httpx.TransportError:
                assert self._process.poll() is None, (self._folder / "log").read_text()
                time.sleep(0.02)
            else:
                return
        raise TimeoutError((self._folder / "log").read_text())

    def blob(self, name: str, content: bytes) -> dict[str, Any]:
        """Push a blob; return its digest and size, as a manifest names it."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        begun = self._http.post(f"/v2/{name}/blobs/uploads/").raise_for_status()
        where = httpx.URL(begun.headers["location"]).copy_merge_params({"digest": digest})
        self._http.put(where, content=content).raise_for_status()
        return {"digest": digest, "size": len(content)}

    def manifest(self, name: str, tag: str, body: Mapping[str, Any]) -> str:
        """Push a manifest or an index under a tag; return its digest."""
        headers = {"Content-Type": body["mediaType"]}
        url = f"/v2/{name}/manifests/{tag}"
        done = self._http.put(url, content=json.dumps(body), headers=headers).raise_for_status()
        return str(done.headers["docker-content-digest"])

    def push(
        self,
        name: str,
        tag: str,
        *,
        labels: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        architecture: str = "amd64",
        layers: tuple[bytes, ...] = (),
    ) -> str:
        """Push an image under a tag; return its digest.

        Args:
            name: of the repository.
            tag: its tag.
            labels: of its config.
            environment: of its config.
            architecture: of its platform, beside linux.
            layers: tar archives.
        """
        config = {
            "os": "linux",
            "architecture": architecture,
            "config": {
                "Labels": dict(labels or {}),
                "Env": [f"{key}={value}" for key, value in (environment or {}).items()],
            },
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in layers],
            },
        }
        blobs = [self.blob(name, each) for each in layers]
        body = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, **self.blob(name, json.dumps(config).encode())},
            "layers": [{"mediaType": LAYER, **each} for each in blobs],
        }
        return self.manifest(name, tag, body)

    def push_index(self, name: str, tag: str, manifests: Mapping[str, str]) -> str:
        """Push an index; return its digest.

        Args:
            name: of the repository.
            tag: its tag.
            manifests: digest of each platform, such as linux/amd64.
        """
        entries: list[dict[str, Any]] = []
        for platform, digest in manifests.items():
            system, _, architecture = platform.partition("/")
            found = self._http.get(f"/v2/{name}/manifests/{digest}", headers={"Accept": MANIFEST})
            entries.append(
                {
                    "mediaType": MANIFEST,
                    "digest": digest,
                    "size": len(found.content),
                    "platform": {"os": system, "architecture": architecture},
                }
            )
        body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
        return self.manifest(name, tag, body)

    def config(self, name: str, reference: str) -> dict[str, Any]:
        """Return the config of an image."""
        found = self._http.get(f"/v2/{name}/manifests/{reference}", headers={"Accept": MANIFEST})
        kept = found.raise_for_status().json()["config"]["digest"]
        return self._http.get(f"/v2/{name}/blobs/{kept}").raise_for_status().json()
