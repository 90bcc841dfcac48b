"""Where secret values come from, and that nothing of them is in what is said about it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cockpit.engine import env_file
from cockpit.engine import secrets as room
from cockpit.engine.secrets import Secrets
from cockpit.errors import ConfigError

VALUE = "hunter2-Zm9v"


@dataclass(frozen=True)
class Source:
    file: str | None = None
    environment: str | None = None
    command: tuple[str, ...] | None = None


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets(tmp_path / "key")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def make(content: str | bytes, name: str = "app.env") -> str:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(tmp_path / name)

    return make


# ---------------------------------------------------------------- the syntax


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1\nB=2", {"A": "1", "B": "2"}),
        ("# all of it\n\nA=1 # the rest\nB=x#y\r\n", {"A": "1", "B": "x#y"}),
        ("export A=1", {"A": "1"}),
        ("A=\nB=''\nC=\"\"", {"A": "", "B": "", "C": ""}),
        ('A=\'it is "so" # here\'\nB="two\\nlines"', {"A": 'it is "so" # here', "B": "two\nlines"}),
        ('A="-----BEGIN\nx\n-----END"\nB=1', {"A": "-----BEGIN\nx\n-----END", "B": "1"}),
        ("A=b=c==", {"A": "b=c=="}),
        ('A=pa$$word\nB=${HOME}\nC="$A"', {"A": "pa$$word", "B": "${HOME}", "C": "$A"}),
        ("A=1\nA=2", {"A": "2"}),
        ("spring.port=1\nA-B=2", {"spring.port": "1", "A-B": "2"}),
        ("A=ümläut ✓", {"A": "ümläut ✓"}),
        ("", {}),
    ],
)
def test_an_env_file_is_read_as_dotenv_writes_it(text: str, found: dict[str, str]) -> None:
    assert env_file.parse(text, "x.env") == found


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        (f'A=1\n\n# x\nB="{VALUE}\nC=2', 4, "is a quote missing?"),
        (f"A=1\n{VALUE}\n", 2, "expected `=`"),
        (f"\n\n{VALUE} and more\n", 3, "expected NAME=value"),
        (f'A="x"{VALUE}', 1, "expected NAME=value"),
        (f"{VALUE}/+=1", 1, "expected a name"),
        (f"={VALUE}", 1, "expected"),
    ],
)
def test_a_line_that_is_none_is_named_and_not_shown(text: str, line: int, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        env_file.parse(text, "x.env")
    assert caught.value.message.startswith(f"x.env:{line}: ")
    assert expected in caught.value.message
    assert "hunter2" not in repr(caught.value) + caught.value.hint
    assert caught.value.hint


# ---------------------------------------------------------------- the files


async def test_a_later_file_wins(secrets: Secrets, write: Callable[..., str]) -> None:
    one, two = write("A=1\nB=1", "one"), write("B=2\nC=2", "two")
    assert await secrets.env_files((one, two)) == {"A": "1", "B": "2", "C": "2"}
    assert await secrets.env_files((two, one)) == {"A": "1", "B": "1", "C": "2"}
    assert await secrets.env_files(()) == {}


async def test_only_an_optional_file_may_be_missing(
    secrets: Secrets, write: Callable[..., str], tmp_path: Path
) -> None:
    there, missing = write("A=1"), str(tmp_path / "missing.env")
    assert await secrets.env_files((there, missing), (missing,)) == {"A": "1"}
    with pytest.raises(ConfigError, match=r"missing\.env does not exist"):
        await secrets.env_files((there, missing), (there,))


async def test_an_optional_file_that_is_broken_is_said(secrets: Secrets, write: Callable[..., str]) -> None:
    path = write("A")
    with pytest.raises(ConfigError, match=f"{path}:1: "):
        await secrets.env_files((path,), (path,))


async def test_a_home_directory_and_a_byte_order_mark_are_understood(secrets: Secrets, own_home: Path) -> None:
    (own_home / "app.env").write_bytes(b"\xef\xbb\xbfA=1\n")
    assert await secrets.env_files(("~/app.env",)) == {"A": "1"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"A=1\nB=\xff" + VALUE.encode(), "line 2 is not UTF-8"),
        (b"A=1\n\nB=\0" + VALUE.encode(), "line 3 has a NUL byte"),
        (b"#" * (room.LARGEST + 1), "it is over 1 MB"),
    ],
    ids=["not UTF-8", "NUL", "large"],
)
async def test_a_file_that_is_no_text_is_explained(
    secrets: Secrets, write: Callable[..., str], content: bytes, why: str
) -> None:
    path = write(content)
    with pytest.raises(ConfigError) as by_env_file:
        await secrets.env_files((path,))
    assert f"{path} cannot be read ({why})" in by_env_file.value.message
    with pytest.raises(ConfigError) as by_secret:
        await secrets.resolve({"TOKEN": Source(file=path)})
    assert f"secret TOKEN: {path} cannot be read ({why})" in by_secret.value.message
    assert "hunter2" not in repr(by_env_file.value) + repr(by_secret.value)


async def test_the_largest_file_is_read(secrets: Secrets, write: Callable[..., str]) -> None:
    assert await secrets.env_files((write(b"A=1\n#".ljust(room.LARGEST, b"#")),)) == {"A": "1"}


@pytest.mark.parametrize("kind", ["pipe", "device", "directory"])
async def test_what_is_no_file_is_never_waited_for(secrets: Secrets, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "odd"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    async with asyncio.timeout(5):
        with pytest.raises(ConfigError, match="odd cannot be read"):
            await secrets.env_files((str(path),))
        with pytest.raises(ConfigError, match="odd cannot be read"):
            await secrets.resolve({"TOKEN": Source(file=str(path))})


def test_values_are_told_apart_by_marks_that_only_this_engines_key_makes(secrets: Secrets, tmp_path: Path) -> None:
    values = {"A": VALUE, "B": "other"}
    marks = secrets.fingerprints(values)
    assert VALUE not in marks["A"]
    assert marks["A"] != marks["B"]
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    assert Secrets(tmp_path / "key").fingerprints(values) == marks
    assert Secrets(tmp_path / "other").fingerprints(values) != marks


# ---------------------------------------------------------------- other sources


async def test_a_secret_comes_from_where_it_is_said_to(
    secrets: Secrets, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_TOKEN", "from-environment")
    found = await secrets.resolve(
        {
            "FILE": Source(file=write("from-file\n")),
            "ENVIRONMENT": Source(environment="TEST_TOKEN"),
            "COMMAND": Source(command=("/bin/echo", "from-command")),
        }
    )
    assert found == {"FILE": "from-file", "ENVIRONMENT": "from-environment", "COMMAND": "from-command"}


async def test_a_variable_that_the_engine_has_not_is_said(secrets: Secrets) -> None:
    with pytest.raises(ConfigError, match="secret TOKEN: the engine's environment has no TEST_NOWHERE") as caught:
        await secrets.resolve({"TOKEN": Source(environment="TEST_NOWHERE")})
    assert caught.value.hint


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("/bin/sh", "-c", f"echo {VALUE}; exit 3"), "exited with status 3"),
        (("/nonexistent/vault",), "cannot be run"),
        (("/bin/sh", "-c", f"printf '{VALUE}\\0'"), "NUL byte"),
        (("/bin/sh", "-c", "yes"), "printed over 1 MB"),
    ],
)
async def test_a_command_that_gives_no_value_is_explained(
    secrets: Secrets, command: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        await secrets.resolve({"TOKEN": Source(command=command)})
    assert caught.value.message.startswith("secret TOKEN: ")
    assert message in caught.value.message
    assert "hunter2" not in repr(caught.value)


async def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    secrets: Secrets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "COMMAND_TIMEOUT", 0.3)
    script = f"sleep 1000000 & echo $! > {tmp_path}/child; wait"
    with pytest.raises(ConfigError, match="gave no answer"):
        await secrets.resolve({"TOKEN": Source(command=("/bin/sh", "-c", script))})
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    assert not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z"
