"""JSON-RPC 2.0 as lines of bytes, one message a line: pure, without sockets. Both ends of the wire use it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

from cockpit.errors import BuildError, CockpitError, Failed
from cockpit.json_form import decode, encode
from cockpit.model import Failure
from cockpit.protocol import Call, Event, LogChunk, WireError

Id: TypeAlias = int | str


class Code(IntEnum):
    """JSON-RPC's own error numbers; what the product itself says is APPLICATION, with a WireError in `data`."""

    PARSE = -32700
    REQUEST = -32600
    METHOD = -32601
    PARAMS = -32602
    INTERNAL = -32603
    APPLICATION = -32000


@dataclass(frozen=True, slots=True)
class Request:
    id: Id | None  # None: a notification, which nobody answers
    method: str
    params: Any


@dataclass(frozen=True, slots=True)
class Response:
    id: Id | None
    result: Any = None
    error: WireError | None = None


class Malformed(Exception):
    """The other side sent what is no message. `id` is set when the answer can at least name the request."""

    def __init__(self, code: Code, message: str, id: Id | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = id


# ---------------------------------------------------------------- out


def request(id: Id, call: Call[Any, Any], params: Any) -> bytes:
    return _line({"id": id, "method": call.name, "params": encode(params)})


def result(id: Id, value: Any) -> bytes:
    return _line({"id": id, "result": encode(value)})


def failure(id: Id | None, error: WireError, code: Code = Code.APPLICATION) -> bytes:
    return _line({"id": id, "error": {"code": int(code), "message": error.message, "data": encode(error)}})


def notification(note: Event | LogChunk) -> bytes:
    return _line({"method": "log" if isinstance(note, LogChunk) else "event", "params": encode(note)})


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":")).encode() + b"\n"


# ---------------------------------------------------------------- in


def parse(line: bytes) -> Request | Response:
    """Raises Malformed."""
    message = _json(line)
    if not isinstance(message, dict):
        raise Malformed(Code.REQUEST, "a message is one JSON object; batches are not taken")
    id = message.get("id")
    if id is not None and (not isinstance(id, (int, str)) or isinstance(id, bool)):
        raise Malformed(Code.REQUEST, "an id is a number or a string")
    if "method" in message:
        if not isinstance(message["method"], str):
            raise Malformed(Code.REQUEST, "a method is a string", id)
        return Request(id, message["method"], message.get("params", {}))
    if "result" in message or "error" in message:
        return Response(id, message.get("result"), _error(message.get("error")))
    raise Malformed(Code.REQUEST, "neither method, result nor error", id)


def note(message: Request) -> Event | LogChunk | None:
    """What a notification carries; None for a kind that this side does not know (the other may be newer)."""
    try:
        if message.method == "event":
            return decode(Event, message.params)
        if message.method == "log":
            return decode(LogChunk, message.params)
    except ValueError as error:
        raise Malformed(Code.PARAMS, str(error)) from None
    return None


def _json(line: bytes) -> Any:
    try:
        message = json.loads(line)
        if b"\\u" in line:
            json.dumps(message, ensure_ascii=False).encode()  # half a surrogate pair would fail later, deep inside
    except (ValueError, RecursionError) as error:
        raise Malformed(Code.PARSE, f"not JSON: {str(error)[:200]}") from None
    return message


def _error(data: Any) -> WireError | None:
    if data is None:
        return None
    try:
        return decode(WireError, data["data"])
    except (ValueError, TypeError, KeyError):
        return WireError("error", str(data)[:500])


# ---------------------------------------------------------------- errors across the wire


def to_wire(error: CockpitError) -> WireError:
    return WireError(error.code, error.message, error.hint, _details(error))


def from_wire(error: WireError) -> CockpitError:
    """The same class as on the other side; the base class for a code that this side does not know."""
    kind = next((each for each in _tree(CockpitError) if each.code == error.code), CockpitError)
    if issubclass(kind, Failed):
        return _failed(kind, error)
    if issubclass(kind, BuildError):
        return kind(error.message, error.hint, tuple(error.details.get("log_tail", "").splitlines()))
    return kind(error.message, error.hint)


def _details(error: CockpitError) -> dict[str, str]:
    if isinstance(error, Failed):
        details: dict[str, str] = encode(error.failure)
        return details
    if isinstance(error, BuildError) and error.log_tail:
        return {"log_tail": "\n".join(error.log_tail)}
    return {}


def _failed(kind: type[Failed], error: WireError) -> CockpitError:
    try:
        return kind(decode(Failure, error.details))
    except ValueError:  # a newer engine may know another side
        return CockpitError(error.message, error.hint)


def _tree(kind: type[CockpitError]) -> Iterator[type[CockpitError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _tree(each)
