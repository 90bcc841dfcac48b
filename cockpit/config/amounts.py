"""Kinds of numbers: counts, durations, sizes, and what YAML 1.1 would have made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from cockpit.config.base import JsonSchema, Word, Wrong
from cockpit.config.tree import Scalar


@dataclass(frozen=True)
class Whole(Word):
    expects: str = "a whole number"

    def value(self, scalar: Scalar) -> int:
        if scalar.plain and re.fullmatch(r"0|[1-9]\d{0,8}", scalar.text):
            return int(scalar.text)
        raise Wrong(_misread(scalar))

    def schema(self) -> JsonSchema:
        return {"type": "integer"}


@dataclass(frozen=True)
class WholeOrUnlimited(Whole):
    expects: str = "a whole number, or -1 for no limit"

    def value(self, scalar: Scalar) -> int:
        if scalar.plain and re.fullmatch(r"-1|0|[1-9]\d{0,17}", scalar.text):
            return int(scalar.text)
        raise Wrong(_misread(scalar))


@dataclass(frozen=True)
class Pids(Word):
    """Compose's, where -1 is no limit."""

    expects: str = Whole.expects

    def value(self, scalar: Scalar) -> int | None:
        return None if scalar.plain and scalar.text == "-1" else Whole().value(scalar)

    def schema(self) -> JsonSchema:
        return Whole().schema()


@dataclass(frozen=True)
class Number(Word):
    expects: str = "a number such as 2 or 0.5"
    quoted: bool = False  # it may be in quotes, as Compose has it in some places

    def value(self, scalar: Scalar) -> float:
        if (scalar.plain or self.quoted) and re.fullmatch(r"(0|[1-9]\d{0,8})(\.\d{1,6})?", scalar.text):
            return float(scalar.text)
        raise Wrong(_misread(scalar))

    def schema(self) -> JsonSchema:
        return {"type": ["number", "string"] if self.quoted else "number"}


UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_AMOUNT = r"(?:0|[1-9]\d{0,8})(?:\.\d{1,3})?"


@dataclass(frozen=True)
class Duration(Word):
    """Seconds, as a number or with units that fall: 30, 30s, 2m, 1h30m, 500ms."""

    expects: str = "a duration such as 30s, 2m or 1h30m"
    unit: ClassVar[str] = " s"
    pattern: ClassVar[str] = "(?!$)" + "".join(f"(?:{_AMOUNT}{unit})?" for unit in reversed(UNITS))

    def value(self, scalar: Scalar) -> float:
        if scalar.plain and re.fullmatch(_AMOUNT, scalar.text):
            return float(scalar.text)
        if re.fullmatch(self.pattern, scalar.text):
            parts = re.findall(r"([\d.]+)([a-z]+)", scalar.text)
            return float(sum(float(amount) * UNITS[unit] for amount, unit in parts))
        raise Wrong(_misread(scalar))

    def schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": f"^{self.pattern}$"}]}


@dataclass(frozen=True)
class Size(Word):
    """Bytes, as Compose writes them; a k is 1024."""

    expects: str = "a size such as 512m or 2g"
    unit: ClassVar[str] = " bytes"
    pattern: ClassVar[str] = r"([1-9]\d{0,14})([kKmMgG]?)[bB]?"

    def value(self, scalar: Scalar) -> int:
        match = re.fullmatch(self.pattern, scalar.text)
        if match is None:
            raise Wrong(_misread(scalar))
        return int(match[1]) << 10 * " kmg".index(match[2].lower() or " ")

    def schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": f"^{self.pattern}$"}]}


def _misread(scalar: Scalar) -> str:
    """What YAML 1.1 would make of a plain scalar that looks like a number."""
    text = scalar.text
    if not scalar.plain:
        return "; write it without quotes" if re.fullmatch(r"\d{1,9}", text) else ""
    if re.fullmatch(r"0[0-7]{1,9}", text):
        return f", which YAML 1.1 reads as {int(text, 8)}: write {int(text)}"
    if re.fullmatch(r"[1-9]\d{0,8}(:[0-5]?\d){1,3}", text):
        total = 0
        for part in text.split(":"):
            total = total * 60 + int(part)
        return f", which YAML 1.1 reads as {total}"
    if re.fullmatch(r"0x[0-9a-fA-F]{1,8}", text):
        return f", which YAML 1.1 reads as {int(text, 16)}: write that"
    return ""
