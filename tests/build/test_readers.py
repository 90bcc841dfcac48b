"""Both builders' own output, as recorded, becomes the same lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cockpit.build import words
from cockpit.build.base import BuildLine
from cockpit.build.classic import ClassicReader
from cockpit.build.plain import PlainReader
from cockpit.build.progress import Layers

RECORDED = Path(__file__).parent / "recorded"


def plain(name: str) -> tuple[PlainReader, list[BuildLine]]:
    reader = PlainReader()
    made = [reader.read(line, 1.0) for line in (RECORDED / f"{name}.plain").read_bytes().decode().split("\n")]
    return reader, [line for line in made if line is not None]


def classic(name: str) -> tuple[ClassicReader, list[BuildLine]]:
    reader = ClassicReader()
    items = map(json.loads, (RECORDED / f"{name}.jsonl").read_text().splitlines())
    return reader, [line for item in items for line in reader.read(item, 1.0)]


def test_both_say_what_a_run_printed_and_when_its_step_ended() -> None:
    for lines in (plain("good")[1], classic("good")[1]):
        step = next(line.step for line in lines if "RUN echo hello" in line.name)
        ours = [line for line in lines if line.step == step]
        assert [line.text for line in ours[1:-1]] == [
            "hello",
            "ab" if "ab" in [x.text for x in ours] else "a\rb",
            "err",
        ]
        assert ours[0].text == ours[0].name
        assert ours[-1].done
        assert not any(line.cached for line in ours)


def test_both_mark_steps_that_came_from_the_cache() -> None:
    for lines in (plain("cached")[1], classic("cached")[1]):
        cached = {line.name for line in lines if line.cached}
        assert any("COPY busybox" in name for name in cached)
        assert any("RUN echo hello" in name for name in cached)


def test_a_good_classic_build_has_an_image_and_leaves_no_container() -> None:
    reader, _ = classic("good")
    assert reader.image == "sha256:46f736a5ea5bd0e2cfda17bb922b8647b3ee5ab7bf55699d8e7826e722aed878"
    assert reader.containers == set()
    assert reader.error == ""


def test_a_classic_build_that_is_cut_knows_the_container_that_still_runs() -> None:
    reader = ClassicReader()
    list(reader.read({"stream": "Step 1/2 : RUN x\n ---> Running in f44043d5ca7d\n"}, 1.0))
    assert reader.containers == {"f44043d5ca7d"}


def test_a_line_that_comes_in_pieces_is_one_line() -> None:
    reader = ClassicReader()
    pieces = ["Step 1/1 : RUN x\n", "hel", "lo\nwor", "ld\n"]
    made = [line.text for piece in pieces for line in reader.read({"stream": piece}, 1.0)]
    assert made == ["[1/1] RUN x", "hello", "world"]


def test_a_step_that_goes_on_later_is_not_begun_twice() -> None:
    reader = PlainReader()
    texts = ["#1 [a 1/1] RUN x", "#1 0.1 one", "#1 ...", "", "#2 [b 1/1] RUN y", "#2 DONE 0.0s", "", "#1 [a 1/1] RUN x"]
    made = [reader.read(text, 1.0) for text in [*texts, "#1 0.2 two"]]
    assert [(line.step, line.text) for line in made if line] == [
        (1, "[a 1/1] RUN x"),
        (1, "one"),
        (2, "[b 1/1] RUN y"),
        (2, "DONE 0.0s"),
        (1, "two"),
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("failing_run", "ended with status 3"),
        ("missing_file", "nothere is not in the build context"),
        ("no_base", "nosuchimage:1 is not on this host"),
    ],
)
def test_both_failures_read_the_same(name: str, message: str) -> None:
    by_plain, plain_lines = plain(name)
    by_classic, classic_lines = classic(name)
    for error, step, lines in (
        (by_plain.error, by_plain.names[by_plain.failed_step], plain_lines),
        (by_classic.error, classic_lines[-1].name, classic_lines),
    ):
        assert message in words.failure(error, step, [line.text for line in lines]).message


@pytest.mark.parametrize(
    ("error", "said", "message"),
    [
        ("write /var/lib/docker/tmp/x: no space left on device", (), "no space left on the build host"),
        ("executor failed running [x]: exit code: 1", ("tar: write error: No space left on device",), "no space left"),
        ('process "/bin/sh -c x" did not complete successfully: exit code: 137', (), "ended with status 137"),
        ('failed to calculate checksum of ref abc::def: "/dist": not found', (), "/dist is not in the build context"),
        ("failed to solve: dockerfile parse error on line 7: unknown instruction: FORM", (), "line 7"),
        ('target stage "prod" could not be found', (), "no such stage"),
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", (), "Docker went away"),
        ("", (), "ended without an image"),
    ],
)
def test_failures_are_named_by_what_to_do_about_them(error: str, said: tuple[str, ...], message: str) -> None:
    caught = words.failure(error, "", said)
    assert message in caught.message
    assert caught.hint


def test_the_tail_is_short_and_plain() -> None:
    caught = words.failure("exit code: 1", "[1/1] RUN x", [f"\x1b[31m{number}\x1b]0;x\x07" for number in range(100)])
    assert caught.log_tail == tuple(str(number) for number in range(80, 100))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("unauthorized: authentication required", "refused the login"),
        ("denied: requested access to the resource is denied", "does not allow a push"),
        ("received unexpected HTTP status: 500 Internal Server Error", "server error"),
        ('Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused', "cannot be reached"),
        ('Get "https://r.test/v2/": http: server gave HTTP response to HTTPS client', "no TLS"),
        ('Put "http://r.test/v2/x": EOF', "cut the connection"),
        ("something new", "something new"),
    ],
)
def test_a_registrys_refusal_is_explained(error: str, message: str) -> None:
    assert message in words.registry(error, "r.test", words.PUSH).message


@pytest.mark.parametrize(
    ("error", "doing", "message", "hint"),
    [
        ("manifest unknown", words.PULL, "r.test has no such image", "have CI push it again"),
        ("name unknown: no repository", words.PUSH, "r.test has no such image", "create the repository"),
        ("no matching manifest for linux/arm64/v8 in the manifest list", words.PULL, "platform", "--platform"),
        ("write /var/lib/x: no space left on device", words.PULL, "no space left on the Docker host", "free"),
        ("toomanyrequests: You have reached your limit. denied", words.ASK, "asks to slow down", "login"),
        ("Head https://r.test:401/v2/x: EOF", words.ASK, "cut the connection", "ask again"),
    ],
)
def test_the_words_fit_what_was_asked_of_the_registry(error: str, doing: words.Doing, message: str, hint: str) -> None:
    told = words.registry(error, "r.test", doing)
    assert message in told.message
    assert hint in told.hint


@pytest.mark.parametrize("doing", [words.PUSH, words.PULL, words.ASK])
def test_who_has_no_login_is_told_to_get_one(doing: words.Doing) -> None:
    told = words.registry("denied: no", "r.test", doing, anonymous=True)
    assert "wants a login" in told.message
    assert "docker login" in told.hint


def test_layers_are_steps_and_big_ones_tell_their_quarters() -> None:
    lines: list[BuildLine] = []
    layers = Layers("pull", lines.append, lambda: 1.0)
    layers.read({"status": "Pulling from a/b", "id": "sha256:1"})
    layers.read({"status": "Already exists", "id": "one", "progressDetail": {}})
    for mb in (0, 1, 30, 31, 50, 120):
        detail = {"current": mb * 1_000_000, "total": 100_000_000}
        layers.read({"status": "Downloading", "id": "two", "progressDetail": detail})
    layers.read({"status": "Extracting", "id": "two", "progressDetail": {"current": 3, "units": "s"}})
    layers.read({"status": "Extracting", "id": "two", "progressDetail": {"current": 4, "units": "s"}})
    layers.read({"status": "Pull complete", "id": "two"})
    layers.read({"status": "Digest: sha256:1"})
    assert [(line.step, line.name, line.text, line.cached, line.done) for line in lines] == [
        (0, "pull", "Pulling from a/b", False, False),
        (1, "pull one", "Already exists", True, True),
        (2, "pull two", "Downloading 0.0 of 100.0 MB", False, False),
        (2, "pull two", "Downloading 30.0 of 100.0 MB", False, False),
        (2, "pull two", "Downloading 50.0 of 100.0 MB", False, False),
        (2, "pull two", "Downloading 100.0 of 100.0 MB", False, False),
        (2, "pull two", "Extracting", False, False),
        (2, "pull two", "Pull complete", False, True),
        (0, "pull", "Digest: sha256:1", False, False),
    ]


@pytest.mark.parametrize(
    "detail", [None, [], {"current": "1", "total": 2}, {"current": -5, "total": 10}, {"total": 0}, {"total": -1}]
)
def test_odd_progress_does_no_harm(detail: object) -> None:
    lines: list[BuildLine] = []
    Layers("pull", lines.append, lambda: 1.0).read({"status": "Downloading", "id": "x", "progressDetail": detail})
    assert [line.text.split()[0] for line in lines] == ["Downloading"]
