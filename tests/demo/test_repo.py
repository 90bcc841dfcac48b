"""The shop's repository: real commits that do not say which of them are bad."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from cockpit.demo import repo
from cockpit.demo.history import CHANGES, DAY, HOUR, Change
from cockpit.errors import SourceError

BAD = {"data": "data-fix", "stripe": "stripe-fix", "stock": "stock-fix", "tax": "tax-fix"}


def git(path: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(path), *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def shop(tmp_path: Path) -> repo.Shop:
    return repo.make(tmp_path / "shop", time.time())


def test_the_shop_has_about_a_dozen_commits_by_several_authors_oldest_first(shop: repo.Shop) -> None:
    rows = [line.split("|") for line in git(shop.path, "log", "--reverse", "--format=%an|%at").splitlines()]
    assert 12 <= len(rows) <= 18
    assert len({author for author, _ in rows}) >= 3
    dates = [int(at) for _, at in rows]
    assert dates == sorted(dates)
    assert HOUR / 4 < time.time() - dates[-1] < HOUR
    assert time.time() - dates[0] < 10 * DAY


def test_the_work_tree_is_clean_so_that_someone_can_commit_to_it(shop: repo.Shop) -> None:
    assert git(shop.path, "status", "--porcelain") == ""
    assert (shop.path / "web" / "Dockerfile").is_file()


@pytest.mark.parametrize("bad", BAD)
def test_each_bad_commit_is_followed_by_its_fix_in_the_same_service(shop: repo.Shop, bad: str) -> None:
    names = [change.name for change in CHANGES]
    assert names.index(BAD[bad]) == names.index(bad) + 1
    touched = [
        {path.split("/")[0] for path in git(shop.path, "show", "--name-only", "--format=", shop[name]).split()}
        for name in (bad, BAD[bad])
    ]
    assert touched[0] == touched[1]


def test_no_subject_gives_a_bad_commit_away(shop: repo.Shop) -> None:
    subjects = git(shop.path, "log", "--format=%s").lower()
    for word in ("fix", "bad", "broken", "fail", "crash", "bug", "revert", "demo", "oops"):
        assert word not in subjects


def test_some_commits_touch_only_one_service_and_one_touches_both(shop: repo.Shop) -> None:
    web = set(git(shop.path, "log", "--format=%H", "--", "web").split())
    checkout = set(git(shop.path, "log", "--format=%H", "--", "checkout").split())
    assert web - checkout
    assert checkout - web
    assert shop["hours"] in web & checkout


def test_a_second_start_keeps_the_repository_and_what_was_added_to_it(shop: repo.Shop) -> None:
    (shop.path / "web" / "mine").write_text("mine")
    git(shop.path, "add", "web/mine")
    git(shop.path, "-c", "user.name=me", "-c", "user.email=me@shop.example", "commit", "--quiet", "-m", "Try it")
    again = repo.make(shop.path, time.time() + DAY)
    assert again == shop
    assert git(shop.path, "log", "-1", "--format=%s") == "Try it\n"


def test_a_repository_that_was_only_half_made_is_made_again(tmp_path: Path) -> None:
    half = tmp_path / "shop.half"
    half.mkdir()
    git(half, "init", "--quiet")
    assert repo.make(tmp_path / "shop", time.time())["wrap"]


def test_a_repository_without_the_shops_commits_is_refused(tmp_path: Path) -> None:
    one = Change("one", ("A", "a@shop.example"), 60, "One", {"a": "a"})
    repo.make(tmp_path / "shop", time.time(), (one,))
    with pytest.raises(SourceError, match="Open the shop"):
        repo.find(tmp_path / "shop")


def test_nobodys_git_configuration_changes_the_repository(tmp_path: Path, own_home: Path) -> None:
    (own_home / ".gitconfig").write_text("[commit]\n\tgpgsign = true\n[init]\n\tdefaultBranch = trunk\n")
    shop = repo.make(tmp_path / "shop", time.time())
    assert git(shop.path, "branch", "--show-current") == "main\n"
