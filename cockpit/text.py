"""Terminal-safe text. Everything foreign (commits, logs, names, errors) passes here where it enters.

A log line may keep SGR colour; nothing else that a terminal would obey gets through: no other escape sequence, no C0 or
C1 control, no bidirectional override, no zero-width character (they are shown as ·).
"""

from __future__ import annotations

import math
import re
import unicodedata

LINE_LIMIT = 4096  # characters kept of one line; the rest is counted
TAB = 4
LENGTHS_LIKE = "90m, 4h or 2d"  # how a length of time is typed: `seconds_of`

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LENGTHS = re.compile(r"([0-9]{1,9})([smhd])")
_SGR = r"\x1b\[[0-9;:]*m"
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS, SOS, PM, APC and their bodies
    r"|\x9b[0-?]*[ -/]*[@-~]"  # C1 CSI
    r"|[\x90\x98\x9d-\x9f][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # C1 string openers
    r"|\x1b[ -/]*[0-~]?"  # the other escapes
)
_ONLY_SGR = re.compile(_SGR)
_KEEP_SGR = re.compile(f"(?P<sgr>{_SGR})|(?P<other>{_SEQUENCE.pattern})")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_SUSPECT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def decode(data: bytes) -> str:
    """UTF-8, with U+FFFD for what is not."""
    return data.decode("utf-8", "replace")


def clean(text: str, limit: int = LINE_LIMIT) -> str:
    """One line of plain text: no escapes, no controls; line breaks and tabs become spaces."""
    text = text if not _SUSPECT.search(text) else _visible(_SEQUENCE.sub("", text.replace("\r\n", "\n")))
    return _cut(re.sub(r"[\n\t]", " ", text), limit).strip()


def clean_block(text: str, limit: int = 400_000) -> str:
    """Several lines of plain text (a diff, a message)."""
    lines = text[:limit].replace("\r\n", "\n").split("\n")
    return "\n".join(clean_log(line, colour=False) for line in lines)


def clean_log(line: str, limit: int = LINE_LIMIT, *, colour: bool = True) -> str:
    """One log line: SGR colour is kept (reset at the end when the line leaves it on), all else as in `clean`.

    A bare carriage return starts the line again, as progress bars mean it to: the last text wins."""
    line = line.rstrip("\r\n")
    if "\r" in line:
        line = line.rsplit("\r", 1)[1] or line.replace("\r", " ")
    line = line.expandtabs(TAB)
    if _SUSPECT.search(line):
        keep = _KEEP_SGR.sub(lambda match: match["sgr"] or "", line) if colour else _SEQUENCE.sub("", line)
        line = _visible(keep)
    line = _cut(line.replace("\n", " "), limit)
    if "\x1b" not in line:
        return line
    if line.rfind("\x1b") > line.rfind("m"):  # the cut fell into a sequence
        line = line[: line.rfind("\x1b")]
    return line if line.endswith("\x1b[0m") else line + "\x1b[0m"


def plain(line: str) -> str:
    """Without SGR colour."""
    return _ONLY_SGR.sub("", line) if "\x1b" in line else line


def width(text: str) -> int:
    """Terminal cells, for text that `clean` has passed."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def shorten(text: str, cells: int) -> str:
    """Cut to `cells` terminal cells, with … where something is missing."""
    if width(text) <= cells:
        return text
    kept = ""
    for char in text:
        if width(kept + char) > cells - 1:
            break
        kept += char
    return kept + "…" if cells > 0 else ""


def age(seconds: float) -> str:
    """Short: 40s, 4m, 2h, 3d."""
    seconds = max(0.0, seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def remaining(seconds: float) -> str:
    """What is still to come, never told too short: 4h, 1h 58m, 12m, 40s."""
    if seconds < 60:
        return f"{math.ceil(max(0.0, seconds))}s"
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    days, hours = divmod(hours, 24)
    parts = [f"{count}{unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if count]
    return " ".join(parts[:2])


def took(seconds: float) -> str:
    """A duration as people say it: 0.1 s, 38 s, 4 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


def seconds_of(length: str) -> float | None:
    """What somebody typed for how long: 90m, 4h, 2d, or several: 1d12h; None for what is none of them."""
    parts = _LENGTHS.findall(length)
    if not parts or "".join(map("".join, parts)) != length:
        return None
    return float(sum(int(number) * _UNITS[unit] for number, unit in parts))


def _visible(text: str) -> str:
    text = _CONTROL.sub("", text)
    text = _INVISIBLE.sub("·", text)
    return _SURROGATE.sub("\ufffd", text)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… (+{len(text) - limit} characters)"
