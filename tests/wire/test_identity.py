"""Groups of whoever connected: the process's own, and the user database's only where the kernel does not tell."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from cockpit.engine import identity
from tests.several_users import User, needs_root

NO_SUCH_OPTION = 9999


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        yield ours, theirs


def test_the_kernel_tells_the_groups_of_this_process(pair: tuple[socket.socket, socket.socket]) -> None:
    assert set(identity.peer_groups(pair[0], 61999, 61999)) == set(os.getgroups())


def test_without_the_kernels_word_the_user_database_is_asked(pair: tuple[socket.socket, socket.socket]) -> None:
    assert 0 in identity.peer_groups(pair[0], 0, 0, NO_SUCH_OPTION)
    assert identity.peer_groups(pair[0], 61999, 61999, NO_SUCH_OPTION) == ()  # a number that has no account


def test_a_group_goes_by_its_name_and_its_number(pair: tuple[socket.socket, socket.socket]) -> None:
    found = identity.group_names({0, 61999})
    assert found == {"root", "0", "61999"}


@needs_root
def test_a_member_of_more_groups_than_fit_is_still_somebody() -> None:
    """The kernel's answer would not fit; what the user database says of a number without an account is nothing."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"\0cockpit-test-{os.getpid()}")
    listener.listen()
    script = f"import socket, sys; s = socket.socket(1); s.connect('\\0cockpit-test-{os.getpid()}'); sys.stdin.read()"
    crowd = User(61500, tuple(range(62000, 62000 + identity.MOST_GROUPS + 1)))
    command = crowd.command("/usr/bin/env", "python3", "-c", script)
    with subprocess.Popen(command, stdin=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}) as process:
        listener.settimeout(20)
        connection, _ = listener.accept()
        with connection, listener:
            found = identity.of(connection)
        process.communicate()
    assert (found.actor.uid, found.groups) == (61500, frozenset({"61500"}))
