"""Dataclasses as what JSON can say, and back: what goes over the wire, and what rows and hosts keep as text."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def encode(value: Any) -> Any:
    """Dataclasses become objects, tuples lists, enums their values. Fields at their default are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: encode(getattr(value, item.name))
            for item in dataclasses.fields(value)
            if not _is_default(item, getattr(value, item.name))
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    return value


def decode(kind: type[T], data: Any) -> T:
    """The inverse of `encode`. Unknown fields are ignored, so that one side may be a version newer.

    Raises ValueError when `data` is not of that shape."""
    try:
        return typing.cast(T, _decoder(typing.cast(Any, kind))(data))
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"not a {getattr(kind, '__name__', kind)}: {error}") from None


def _is_default(item: dataclasses.Field[Any], value: Any) -> bool:
    if item.default is not dataclasses.MISSING:
        return bool(item.default == value) and type(item.default) is type(value)
    return False


@cache
def _decoder(kind: Any) -> Callable[[Any], Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass_decoder(typing.cast(type, kind))
    if origin is tuple:
        item = _decoder(arguments[0])
        return lambda data: tuple(item(each) for each in _expect(data, list))
    if origin is dict:
        value = _decoder(arguments[1])
        return lambda data: {str(key): value(each) for key, each in _expect(data, dict).items()}
    if origin in (typing.Union, types.UnionType):
        (some,) = (each for each in arguments if each is not type(None))
        inner = _decoder(some)
        return lambda data: None if data is None else inner(data)
    if kind is float:
        return lambda data: float(_expect(data, (int, float)))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return lambda data: _expect(data, kind)


def _dataclass_decoder(kind: type) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    decoders = {item.name: _decoder(hints[item.name]) for item in dataclasses.fields(kind)}

    def read(data: Any) -> Any:
        known = {name: decoders[name](value) for name, value in _expect(data, dict).items() if name in decoders}
        return kind(**known)

    return read


def _expect(data: Any, kind: Any) -> Any:
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise TypeError(f"expected {getattr(kind, '__name__', kind)}, got {type(data).__name__}")
    return data
