"""The file itself: whose it is, how large, and what else may be in its place."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cockpit.config.load import load
from cockpit.config.read import LIMIT, trusted
from cockpit.errors import ConfigError
from tests.config.reading import write

GOOD = "services: {web: {repo: shop.git}}\n"


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.hint == "Nothing was started. `cockpit config check` reads the file again."
    return caught.value.message.removeprefix(f"{path}: ")


def test_a_missing_file_is_said_with_where_to_start(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.yaml") == "there is no such file; start with config.example.yaml"


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "expected a file, got a directory"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert refusal(tmp_path / "pipe") == "expected a file, got a device or pipe"


def test_a_file_over_256_kb_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", GOOD + "#" * (LIMIT - len(GOOD)))
    assert load(path).placements
    write(path, GOOD + "#" * (LIMIT - len(GOOD) + 1))
    assert refusal(path) == "expected at most 256 kB"


def test_a_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", GOOD)
    path.chmod(0o646)
    assert refusal(path) == "others can write it and so change what the engine runs; chmod o-w"


def test_a_symbolic_link_is_followed_to_a_file_that_is_judged(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", GOOD)
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    assert load(link).path == str(link)
    path.chmod(0o602)
    assert "others can write it" in refusal(link)


def test_a_name_that_draws_on_the_terminal_is_shown_plain(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "\x1b[31mred\n.yaml")
    assert caught.value.message == f"{tmp_path}/red .yaml: there is no such file; start with config.example.yaml"


def test_a_name_with_nul_is_no_file_name() -> None:
    with pytest.raises(ConfigError, match="that is no file name"):
        load(Path("a\0b"))


ME, OTHER, ROOT = 1000, 1001, 0


@pytest.mark.parametrize(
    ("owner", "group", "mode", "why"),
    [
        (ME, ME, 0o600, ""),
        (ME, ME, 0o664, ""),
        (ROOT, ROOT, 0o664, ""),
        (ROOT, OTHER, 0o644, ""),
        (ROOT, OTHER, 0o664, "group 1001 can write it and so change what the engine runs; chmod g-w"),
        (ME, ME, 0o602, "others can write it and so change what the engine runs; chmod o-w"),
        (OTHER, ME, 0o600, "it belongs to user 1001, who could change what the engine runs; make it yours (chown)"),
    ],
)
def test_only_the_engines_user_and_root_may_write_it(owner: int, group: int, mode: int, why: str) -> None:
    status = os.stat_result((stat.S_IFREG | mode, 0, 0, 1, owner, group, 0, 0, 0, 0))
    assert trusted(status, ME, ME) == why
