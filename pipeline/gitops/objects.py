"""Git's objects as ocelot reads and makes them: snapshots, commits, and orders to fast-import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.config.gitops import CommitIdentity
from pipeline.errors import GitOpsError, quoted
from pipeline.files import Tree

_FILE, _EXECUTABLE, _LINK, _MODULE = "100644", "100755", "120000", "160000"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The files of a commit, or of a tree.

    Attributes:
        tree: SHA of the tree.
        files: content by path.
        links: paths of symbolic links.
        executables: paths of files that can be run.
    """

    tree: str
    files: Tree = field(repr=False)
    links: tuple[str, ...] = ()
    executables: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit.

    Attributes:
        author: as `Name <address>`, as is the committer.
        message: the whole one.
    """

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: str
    committer: str
    message: str


@dataclass(frozen=True, kw_only=True)
class TreeEntry:
    """An entry of a tree that is no folder."""

    mode: str
    sha: str
    path: str

    @property
    def is_blob(self) -> bool:
        """True for a file; False for a link or a submodule."""
        return self.mode not in (_LINK, _MODULE)


def tree_entries(listed: bytes) -> tuple[TreeEntry, ...]:
    """Return the entries that `git ls-tree -r -z` lists.

    Raises:
        GitOpsError: a path is not UTF-8.
    """
    entries: list[TreeEntry] = []
    for row in filter(None, listed.split(b"\0")):
        head, _, name = row.partition(b"\t")
        mode, _, sha = head.decode().split()
        try:
            entries.append(TreeEntry(mode=mode, sha=sha, path=name.decode()))
        except UnicodeDecodeError:
            shown = quoted(name.decode(errors="replace"))
            raise GitOpsError(
                f"the GitOps repository has a path that is not UTF-8: {shown}",
                hint="rename it there",
            ) from None
    return tuple(entries)


def snapshot(tree: str, entries: Sequence[TreeEntry], contents: Mapping[str, bytes]) -> Snapshot:
    """Return the snapshot of a tree with these entries and contents; without submodules."""
    return Snapshot(
        tree=tree,
        files={each.path: contents[each.sha] for each in entries if each.is_blob},
        links=tuple(each.path for each in entries if each.mode == _LINK),
        executables=frozenset(each.path for each in entries if each.mode == _EXECUTABLE),
    )


def commit_object(sha: str, content: bytes) -> Commit:
    """Return the commit of an object's content."""
    head, _, message = content.decode(errors="replace").partition("\n\n")
    rows = [(name, value) for name, _, value in (line.partition(" ") for line in head.split("\n"))]
    values = dict(rows)
    author, committer = (values[key].rpartition("> ")[0] + ">" for key in ("author", "committer"))
    return Commit(
        sha=sha,
        tree=values["tree"],
        parents=tuple(value for name, value in rows if name == "parent"),
        author=author,
        committer=committer,
        message=message,
    )


@dataclass(frozen=True, kw_only=True)
class NewCommit:
    """A commit to be made; its SHA follows from these values alone.

    Attributes:
        start: the files to which the changes apply.
        changes: new content by path; None removes a file.
        message: the whole one.
        parents: SHAs.
        identity: of author and committer.
        time: of both, seconds since the epoch.
    """

    start: Snapshot
    changes: Mapping[str, bytes | None]
    message: str
    parents: tuple[str, ...]
    identity: CommitIdentity
    time: int

    def orders(self) -> bytes:
        """Return the orders by which git's fast-import makes it, and then prints its SHA.

        The order `M 040000` sets the whole tree: https://git-scm.com/docs/git-fast-import
        """
        who = f"{self.identity.name} <{self.identity.email}> {self.time} +0000"
        text = self.message.encode()
        head = f"commit refs/ocelot/made\nmark :1\nauthor {who}\ncommitter {who}\n"
        first, *others = self.parents
        orders = [
            f"{head}data {len(text)}\n".encode() + text,
            f"\nfrom {first}\n".encode(),
            *(f"merge {each}\n".encode() for each in others),
            f'M 040000 {self.start.tree} ""\n'.encode(),
            *(self._change(path, content) for path, content in sorted(self.changes.items())),
            b"\nget-mark :1\n",
        ]
        return b"".join(orders)

    def _change(self, path: str, content: bytes | None) -> bytes:
        name = _quoted_path(path)
        if content is None:
            return f"D {name}\n".encode()
        mode = _EXECUTABLE if path in self.start.executables else _FILE
        return f"M {mode} inline {name}\ndata {len(content)}\n".encode() + content + b"\n"


def _quoted_path(path: str) -> str:
    """Return a path in quotes, with escapes."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
    return '"' + "".join(escapes.get(sign, sign) for sign in path) + '"'
