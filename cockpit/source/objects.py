"""What GitPython reads for us: objects by full sha, nothing named from outside. Blocking; runs in one thread.

GitPython has no guard on its dynamic commands, so none is used: a `Repo` is opened, asked for objects, and closed,
since an open one keeps child processes.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from cockpit.errors import SourceError
from cockpit.text import clean

if TYPE_CHECKING:
    import git


def tree_id(mirror: Path, commit: str, path: str) -> str:
    """Raises SourceError when the commit has no such directory, naming those that it has beside it."""
    import git
    from git.exc import BadObject

    with git.Repo(mirror) as repo:
        repo.git.update_environment(GIT_DIR=str(mirror), GIT_NO_REPLACE_OBJECTS="1")
        try:
            tree = git.Commit(repo, bytes.fromhex(commit)).tree
            for part in filter(None, path.split("/")):
                tree = _folder(tree, part, path, commit)
            return tree.hexsha
        except (ValueError, BadObject):
            raise _absent(commit) from None


def parents(mirror: Path, commit: str) -> tuple[str, ...]:
    """Full shas, first parent first. Raises SourceError."""
    import git
    from git.exc import BadObject

    with git.Repo(mirror) as repo:
        repo.git.update_environment(GIT_DIR=str(mirror), GIT_NO_REPLACE_OBJECTS="1")
        try:
            return tuple(parent.hexsha for parent in git.Commit(repo, bytes.fromhex(commit)).parents)
        except (ValueError, BadObject):
            raise _absent(commit) from None


def _folder(tree: git.Tree, part: str, path: str, commit: str) -> git.Tree:
    folders = {folder.name: folder for folder in tree.trees}
    if part not in folders:
        close = difflib.get_close_matches(part, folders, 3) or sorted(folders)[:5]
        beside = f"beside it are {', '.join(map(clean, close))}" if close else "there are no directories beside it"
        raise SourceError(f"commit {commit[:7]} has no directory {clean(path)}", f"check `path`; {beside}")
    return folders[part]


def _absent(commit: str) -> SourceError:
    return SourceError(f"commit {commit[:7]} is not in the local copy", "fetch and try again")
