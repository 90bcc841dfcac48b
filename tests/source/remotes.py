"""Real repositories to fetch from, made with plain git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

START = 1_760_000_000
DAY = 86_400


@dataclass
class Remote:
    """A work tree whose commits are a day apart, each by the named author."""

    path: Path
    commits: int = field(default=0)

    @property
    def url(self) -> str:
        return str(self.path)

    def git(self, *arguments: str, feed: bytes | None = None, author: str = "Ada") -> str:
        at = f"{START + self.commits * DAY} +0000"
        names = {"GIT_AUTHOR_NAME": author, "GIT_COMMITTER_NAME": author}
        mails = {"GIT_AUTHOR_EMAIL": f"{author}@example.test", "GIT_COMMITTER_EMAIL": f"{author}@example.test"}
        done = subprocess.run(
            ["git", "-c", "core.hooksPath=/dev/null", *arguments],
            cwd=self.path,
            input=feed,
            capture_output=True,
            check=True,
            env={**os.environ, **names, **mails, "GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at},
        )
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def commit(self, subject: str | bytes, files: Mapping[str, str | bytes] | None = None, author: str = "Ada") -> str:
        """The full sha of a new commit with those files (its own one when none are named)."""
        for name, content in (files if files is not None else {f"file{self.commits}": "x\n"}).items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.commits += 1
        self.git("add", "--all", "--force")
        said = subject.encode() if isinstance(subject, str) else subject
        self.git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "--file=-", feed=said, author=author)
        return self.head

    def raw_commit(self, message: bytes, author: bytes) -> str:
        """A commit object as no porcelain would write it, on top of the branch."""
        who = author + b" <ev@example.test> %d +0000" % (START + self.commits * DAY)
        tree, parent = self.git("rev-parse", "HEAD^{tree}").encode(), self.head.encode()
        text = b"tree %s\nparent %s\nauthor %s\ncommitter %s\n\n%s\n" % (tree, parent, who, who, message)
        sha = self.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", feed=text)
        self.git("update-ref", "HEAD", sha)
        self.commits += 1
        return sha

    def merge(self, branch: str, subject: str) -> str:
        self.commits += 1
        self.git("merge", "--quiet", "--no-ff", "-m", subject, branch)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")


def remote(path: Path, branch: str = "main") -> Remote:
    path.mkdir(parents=True)
    made = Remote(path)
    made.git("init", "--quiet", f"--initial-branch={branch}")
    return made


def many_commits(made: Remote, count: int, files: int = 400) -> str:
    """`count` commits on main, each changing one of `files` files in 20 directories; the full sha of the last."""
    stream = []
    for number in range(count):
        author = f"Dev{number % 7} <dev{number % 7}@example.test>"
        text = f"change {number}\n"
        path = f"services/s{number % 20}/f{number % files}.txt"
        stream.append(
            f"commit refs/heads/main\ncommitter {author} {START + number} +0000\ndata {len(text)}\n{text}"
            + (f"from {made.head}\n" if number == 0 and made.commits else "")
            + f"M 100644 inline {path}\ndata {len(text)}\n{text}\n"
        )
    made.git("fast-import", "--quiet", "--force", feed="".join(stream).encode())
    return made.git("rev-parse", "refs/heads/main")
