"""Real repositories that are big, odd, hostile or gone."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from cockpit.clock import SystemClock
from cockpit.errors import SourceError
from cockpit.source.base import Repository
from cockpit.source.git import GitSource
from cockpit.source.mirror import sweep
from tests.source.remotes import Remote, many_commits, remote
from tests.waiting import until

# ---------------------------------------------------------------- history


async def test_a_merge_is_one_entry_with_what_it_brought(origin: Remote, source: GitSource) -> None:
    live = origin.commit("base")
    origin.git("checkout", "--quiet", "-b", "topic")
    origin.commit("topic one", {"t1": "1\n2\n"}, author="Bob")
    origin.commit("topic two", {"t2": "1\n"}, author="Cai")
    origin.git("checkout", "--quiet", "main")
    origin.commit("meanwhile", {"m": "1\n"})
    origin.merge("topic", "Merge topic")
    await source.fetch(Repository(origin.url))
    found = await source.pending(Repository(origin.url), live, "")
    assert [(commit.subject, commit.merge) for commit in found.commits] == [("Merge topic", True), ("meanwhile", False)]
    assert (found.commits[0].files, found.commits[0].added) == (2, 3)
    assert (found.count, found.authors, found.added) == (2, 3, 4)


async def test_commits_say_which_sensitive_files_they_touch(origin: Remote, source: GitSource) -> None:
    live = origin.commit("base")
    origin.commit("all", {"web/migrations/1.py": "x", "web/uv.lock": "x", "web/Dockerfile": "x", "web/app.yaml": "x"})
    origin.commit("none", {"web/app/models.py": "x", "web/data/deep/down/fixture.yaml": "x"})
    await source.fetch(Repository(origin.url))
    found = await source.pending(Repository(origin.url), live, "web")
    assert [commit.flags for commit in found.commits] == [(), ("db", "lock", "docker", "config")]


async def test_twenty_thousand_commits_are_counted_and_cut(origin: Remote, source: GitSource) -> None:
    live = origin.commit("base")
    many_commits(origin, 20_000)
    await source.fetch(Repository(origin.url))
    found = await source.pending(Repository(origin.url), live, "")
    one = await source.pending(Repository(origin.url), live, "services/s3")
    assert (found.count, len(found.commits), found.authors, found.added) == (20_000, 200, 7, 400)
    assert (one.count, len(one.commits), one.added) == (1_000, 200, 20)


async def test_hostile_subjects_and_names_arrive_as_plain_text(origin: Remote, source: GitSource) -> None:
    live = origin.commit("base")
    subjects = [
        b"esc \x1b]52;c;ZXZpbA==\x07 end",
        "c1 \x9b31m bidi \u202e end".encode(),
        b"latin-1 \xe9 end",
        b"[/x] [@click=app.deploy('prod')]go[/]",
        b"tabs\there\tand\tthere",
        b"",
    ]
    for subject in subjects:
        origin.raw_commit(subject, "Ev\x1b[2Jil\u202e".encode())
    await source.fetch(Repository(origin.url))
    found = await source.pending(Repository(origin.url), live, "")
    assert [commit.subject for commit in reversed(found.commits)] == [
        "esc  end",
        "c1  bidi · end",
        "latin-1 \ufffd end",
        "[/x] [@click=app.deploy('prod')]go[/]",
        "tabs here and there",
        "(no subject)",
    ]
    assert all("\x1b" not in commit.author and "\u202e" not in commit.author for commit in found.commits)


async def test_file_names_with_line_breaks_and_tabs_count_once(origin: Remote, source: GitSource) -> None:
    live = origin.commit("base")
    origin.commit("odd", {"a\nb\tc\td": "1\n", b"caf\xe9".decode("utf-8", "surrogateescape"): "1\n", "bin": b"\0\1"})
    await source.fetch(Repository(origin.url))
    (commit,) = (await source.pending(Repository(origin.url), live, "")).commits
    assert (commit.files, commit.added) == (3, 2)


async def test_a_diff_is_cut_and_its_git_ended(origin: Remote, source: GitSource) -> None:
    origin.commit("big", {"big": "line\n" * 500_000})
    fetched = await source.fetch(Repository(origin.url))
    assert len(await source.diff(Repository(origin.url), None, fetched.head, "")) == 400_000


async def test_the_first_commit_of_all_has_a_diff(origin: Remote, source: GitSource) -> None:
    first = origin.commit("one", {"a": "hello\n"})
    await source.fetch(Repository(origin.url))
    assert "+hello" in await source.diff(Repository(origin.url), None, first, "")


async def test_a_deploy_sheet_during_a_rewrite_says_how_much_would_go(origin: Remote, source: GitSource) -> None:
    base = origin.commit("base")
    origin.commit("lost one")
    live = origin.commit("lost two")
    await source.fetch(Repository(origin.url))
    origin.git("reset", "--quiet", "--hard", base)
    origin.commit("other")
    await source.fetch(Repository(origin.url))
    note = (await source.pending(Repository(origin.url), live, "")).note
    assert note == (
        f"history was rewritten: the live commit {live[:7]} is no longer on main (2 commits would be taken away)"
    )


async def test_the_users_own_git_settings_do_not_change_what_is_read(
    origin: Remote, source: GitSource, own_home: Path
) -> None:
    (own_home / ".gitconfig").write_text(
        "[log]\nshowSignature = true\n[diff]\nnoprefix = true\nexternal = false\nrenames = copies\n"
        "[color]\nui = always\n[core]\nquotePath = true\npager = false\nautocrlf = true\n[format]\npretty = oneline\n"
    )
    live = origin.commit("base", {"a": "1\n"})
    head = origin.commit("two", {"a": "2\n"})
    await source.fetch(Repository(origin.url))
    found = await source.pending(Repository(origin.url), live, "")
    assert [(commit.subject, commit.added, commit.removed) for commit in found.commits] == [("two", 1, 1)]
    assert "diff --git a/a b/a" in await source.diff(Repository(origin.url), live, head, "")


# ---------------------------------------------------------------- branches


@pytest.mark.parametrize("name", ["--output=pwn", "-x", "`id`", "a;id", "feature/\u202ex", "--upload-pack=pwn"])
async def test_a_branch_may_be_called_like_an_option(
    origin: Remote, source: GitSource, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    live = origin.commit("base")
    origin.git("update-ref", f"refs/heads/{name}", live)
    fetched = await source.fetch(Repository(origin.url, name))
    assert fetched.head == live
    assert (await source.pending(Repository(origin.url, name), None, "")).count == 1
    assert (await source.commit(Repository(origin.url, name), live[:8])).sha == live
    assert not list(tmp_path.rglob("pwn*"))


async def test_the_remotes_default_branch_is_used_when_none_is_named(tmp_path: Path, source: GitSource) -> None:
    made = remote(tmp_path / "trunked", branch="trunk")
    head = made.commit("one")
    made.git("branch", "main")
    made.commit("two")
    fetched = await source.fetch(Repository(made.url))
    assert (fetched.branch, fetched.head != head) == ("trunk", True)


async def test_a_branch_that_vanished_is_told_from_one_that_never_was(origin: Remote, source: GitSource) -> None:
    origin.commit("one")
    origin.git("branch", "release")
    await source.fetch(Repository(origin.url, "release"))
    origin.git("branch", "-D", "release")
    with pytest.raises(SourceError, match="branch release is gone"):
        await source.fetch(Repository(origin.url, "release"))
    with pytest.raises(SourceError) as caught:
        await source.fetch(Repository(origin.url, "mian"))
    assert caught.value.hint == "did you mean main?"


async def test_a_branch_may_become_a_folder_of_branches(origin: Remote, source: GitSource) -> None:
    origin.commit("one")
    origin.git("branch", "topic")
    await source.fetch(Repository(origin.url, "topic"))
    origin.git("branch", "-D", "topic")
    origin.git("branch", "topic/a")
    assert (await source.fetch(Repository(origin.url, "topic/a"))).branch == "topic/a"


async def test_a_shallow_remote_is_read_and_said(origin: Remote, source: GitSource, tmp_path: Path) -> None:
    for number in range(5):
        origin.commit(f"change {number}")
    origin.git("clone", "--quiet", "--depth=2", f"file://{origin.path}", str(tmp_path / "shallow"))
    repository = Repository(str(tmp_path / "shallow"))
    fetched = await source.fetch(repository)
    assert "history is shallow" in fetched.note
    found = await source.pending(repository, None, "")
    assert (found.count, "history is shallow" in found.note) == (2, True)


async def test_a_kept_commit_survives_a_force_push_and_a_collection(origin: Remote, source: GitSource) -> None:
    base = origin.commit("base")
    live = origin.commit("live", {"a": "1\n"})
    repository = Repository(origin.url)
    await source.fetch(repository)
    await source.keep(repository, live)
    origin.git("reset", "--quiet", "--hard", base)
    await source.fetch(repository)
    mirror = source._mirror(repository)
    await mirror.git.output("reflog", "expire", "--expire=now", "--all")
    await mirror.git.output("gc", "--quiet", "--prune=now")
    assert "+1" in await source.diff(repository, None, live, "")


# ---------------------------------------------------------------- remotes that fail


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c 'touch pwn'",
        "-upload-pack=x",
        "",
        "git://example.test/x",
        "http://example.test/x",
        "ftp://a/b",
        "rel/x",
    ],
)
async def test_addresses_that_git_would_not_use_safely_are_refused(source: GitSource, url: str) -> None:
    with pytest.raises(SourceError) as caught:
        await source.fetch(Repository(url))
    assert "ssh://" in caught.value.hint


async def test_a_directory_that_is_no_repository_is_said(source: GitSource, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is not a repository"):
        await source.fetch(Repository(str(tmp_path)))
    with pytest.raises(SourceError, match="is not a repository"):
        await source.fetch(Repository(str(tmp_path / "nothing")))


async def test_an_unreachable_host_leaves_what_was_known(origin: Remote, source: GitSource, tmp_path: Path) -> None:
    head = origin.commit("one")
    await source.fetch(Repository(origin.url))
    origin.path.rename(tmp_path / "away")
    with pytest.raises(SourceError):
        await source.fetch(Repository(origin.url))
    known = await source.known(Repository(origin.url))
    assert known is not None
    assert known.head == head


async def test_a_port_where_nobody_listens_is_unreachable(source: GitSource) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SourceError, match="cannot be reached"):
        await source.fetch(Repository(f"http://127.0.0.1:{port}/x.git"))


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "refused the login"), (403, "refused the login"), (404, "is not a repository"), (503, "server error")],
)
async def test_what_a_git_host_answers_is_explained(source: GitSource, status: int, message: str) -> None:
    with _http(status) as port, pytest.raises(SourceError, match=message):
        await source.fetch(Repository(f"http://127.0.0.1:{port}/x.git"))


async def test_a_password_in_the_address_is_never_shown(source: GitSource, tmp_path: Path) -> None:
    with _http(401) as port, pytest.raises(SourceError) as caught:
        await source.fetch(Repository(f"http://ann:s3cret@127.0.0.1:{port}/x.git"))
    assert "s3cret" not in str(caught.value)
    assert not [file for file in (tmp_path / "mirrors").rglob("*") if file.is_file() and b"s3cret" in file.read_bytes()]


@contextmanager
def _http(status: int) -> Iterator[int]:
    class Always(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("WWW-Authenticate", "Basic realm=x")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Always) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


async def test_ssh_neither_asks_nor_waits(source: GitSource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for ssh records how it was called and refuses as the real one does."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\necho "Permission denied (publickey)." >&2\nexit 255\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    with pytest.raises(SourceError, match=r"git@host\.test:x\.git refused the login"):
        await source.fetch(Repository("git@host.test:x.git"))
    assert "BatchMode=yes" in (tmp_path / "called").read_text()


# ---------------------------------------------------------------- cancellation, crashes, two at once


async def test_a_cancelled_fetch_ends_its_whole_process_group(
    source: GitSource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The stand-in for ssh ignores SIGTERM, so only the group's SIGKILL ends it."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\ntrap '' TERM\necho $$ > {tmp_path}/pid.new\nmv {tmp_path}/pid.new {tmp_path}/pid\n"
                   "while :; do sleep 0.1; done\n")  # fmt: skip
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(ssh))
    fetching = asyncio.create_task(source.fetch(Repository("git@host.test:x.git", "main")))
    await until((tmp_path / "pid").exists)
    pid = int((tmp_path / "pid").read_text())
    started = time.monotonic()
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    await until(lambda: not _alive(pid))
    assert time.monotonic() - started < 2


async def test_what_a_killed_git_left_in_the_mirror_is_removed(
    origin: Remote, source: GitSource, tmp_path: Path
) -> None:
    origin.commit("one")
    await source.fetch(Repository(origin.url))
    await source.close()
    (mirror,) = (tmp_path / "mirrors").iterdir()
    left = [mirror / "packed-refs.lock", mirror / "refs/heads/main.lock", mirror / "objects/pack/tmp_pack_x"]
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        os.utime(file, (1, 1))
    head = origin.commit("two")
    after = GitSource(tmp_path / "mirrors", SystemClock())
    assert (await after.fetch(Repository(origin.url))).head == head
    assert not any(file.exists() for file in left)
    await after.close()


def test_a_lock_that_is_younger_than_the_engine_stays(tmp_path: Path) -> None:
    (tmp_path / "young.lock").touch()
    sweep(tmp_path, time.time() - 60)
    assert (tmp_path / "young.lock").exists()


async def test_a_torn_memory_file_only_costs_a_fetch(origin: Remote, source: GitSource, tmp_path: Path) -> None:
    origin.commit("one")
    await source.fetch(Repository(origin.url))
    (memory,) = (tmp_path / "mirrors").glob("*/cockpit.json")
    memory.write_text(memory.read_text()[:10])
    assert await source.known(Repository(origin.url)) is None
    await source.fetch(Repository(origin.url))
    assert json.loads(memory.read_text())["default"] == "main"


async def test_many_placements_of_one_repository_share_a_fetch(origin: Remote, source: GitSource) -> None:
    origin.commit("one")
    repository = Repository(origin.url)
    heads = {each.head for each in await asyncio.gather(*(source.fetch(repository) for _ in range(20)))}
    assert len(heads) == 1
    assert source._mirror(repository).begun == 1


async def test_a_mirror_that_cannot_be_made_is_said(origin: Remote, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    source = GitSource(tmp_path / "file" / "mirrors", SystemClock())
    with pytest.raises(SourceError, match="cannot be written"):
        await source.fetch(Repository(origin.url))
    await source.close()


def _alive(pid: int) -> bool:
    """A zombie that waits for its parent is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
