from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit import rpc
from cockpit.errors import BuildError, CockpitError, ConfigError, EngineUnreachable, Failed, Refused, UsageError
from cockpit.json_form import decode
from cockpit.model import Failure, LogLine, Side
from cockpit.protocol import DEPLOY, DeployRequest, Event, LogChunk, WireError
from tests.fakes import world

FAILURE = Failure("build", Side.BUILD, "exited 1", "no such file", "a file is missing", "add it")


def test_a_request_comes_back_as_it_was() -> None:
    asked = DeployRequest(world.WEB, "abc", 42, "line one\nline two")
    line = rpc.request(3, DEPLOY, asked)
    message = rpc.parse(line)
    assert line.count(b"\n") == 1
    assert isinstance(message, rpc.Request)
    assert (message.id, message.method, decode(DeployRequest, message.params)) == (3, "deploy", asked)


@pytest.mark.parametrize(
    "sent", [Event(placement=world.placement(world.WEB)), LogChunk(4, (LogLine(0, 1.0, "a line"),), dropped=3)]
)
def test_a_note_comes_back_as_it_was(sent: Event | LogChunk) -> None:
    message = rpc.parse(rpc.notification(sent))
    assert isinstance(message, rpc.Request)
    assert message.id is None
    assert rpc.note(message) == sent


def test_a_note_of_a_kind_that_a_newer_engine_knows_is_passed_over() -> None:
    assert rpc.note(rpc.Request(None, "weather", {"sky": "blue"})) is None


@pytest.mark.parametrize(
    "error",
    [
        Refused("held", "release it"),
        UsageError("no such service"),
        ConfigError("line 3"),
        EngineUnreachable("gone", "look"),
        BuildError("RUN failed", "fix it", ("one", "two")),
        Failed(FAILURE),
        CockpitError("else"),
    ],
)
def test_an_error_is_the_same_on_the_other_side(error: CockpitError) -> None:
    message = rpc.parse(rpc.failure(1, rpc.to_wire(error)))
    assert isinstance(message, rpc.Response)
    assert message.error is not None
    back = rpc.from_wire(message.error)
    assert (type(back), back.message, back.hint) == (type(error), error.message, error.hint)
    assert getattr(back, "log_tail", None) == getattr(error, "log_tail", None)
    assert getattr(back, "failure", None) == getattr(error, "failure", None)


@pytest.mark.parametrize("code", ["from_the_future", "failed"])
def test_an_error_that_this_side_cannot_build_is_still_told(code: str) -> None:
    back = rpc.from_wire(WireError(code, "the moon is full", "wait"))
    assert type(back) is CockpitError
    assert (back.message, back.hint) == ("the moon is full", "wait")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", rpc.Code.PARSE),
        (b"{", rpc.Code.PARSE),
        (b"\xff\xfe{}", rpc.Code.PARSE),
        (b"[" * 100_000, rpc.Code.PARSE),
        (b'{"id": 1, "method": "\\ud800"}', rpc.Code.PARSE),
        (b"9" * 6000, rpc.Code.PARSE),
        (b"[]", rpc.Code.REQUEST),
        (b"null", rpc.Code.REQUEST),
        (b"{}", rpc.Code.REQUEST),
        (b'{"id": true, "method": "status"}', rpc.Code.REQUEST),
        (b'{"id": {}, "method": "status"}', rpc.Code.REQUEST),
        (b'{"id": 1, "method": 7}', rpc.Code.REQUEST),
    ],
)
def test_what_is_no_message_is_named(line: bytes, code: rpc.Code) -> None:
    with pytest.raises(rpc.Malformed) as caught:
        rpc.parse(line)
    assert caught.value.code is code


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(
        lambda value: json.dumps({"method": "event", "params": value}).encode()
    )
)
def test_no_bytes_do_more_than_be_malformed(line: bytes) -> None:
    try:
        message = rpc.parse(line)
        if isinstance(message, rpc.Request):
            rpc.note(message)
    except rpc.Malformed:
        pass
