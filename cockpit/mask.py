"""Known secret values out of any text, whole or in chunks. Pure.

A value is found as it is, in base64 (also in the middle of something longer), URL-encoded, and escaped as JSON and
Python do; of one with several lines, each line too. What is shorter than SHORTEST stays: it would be everywhere.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import product
from urllib.parse import quote, quote_plus

MARK = "***"
SHORTEST = 6  # characters
CUT = "…"  # what all our shortened texts end with, some with a space before it

_LINE_BREAK = re.compile(r"[\r\n]+")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]*")  # what nobody escapes
_IN_URL = re.compile(r"%[0-9A-F]{2}")
_IN_JSON = re.compile(r"(?<=\\u)(?<!\\\\u)[0-9a-f]{4}")
_SAFE = ("", "/", "!'()*", ";,/?:@&=+$!*'()#")  # Python's two, and JavaScript's encodeURIComponent and encodeURI
_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "'": "\\u0027"})
_WRAPPED = (64, 76)  # characters in a line of base64: PEM's, and those of MIME and base64(1)


class Mask:
    """`public` are words that everyone sees anyway: a mark in their place would tell that they are a password."""

    def __init__(self, values: Iterable[str], public: Collection[str] = ()) -> None:
        found = {form for value in values for form in forms(value, public)}
        self._by_head: defaultdict[str, list[str]] = defaultdict(list)
        for form in sorted(found, key=len, reverse=True):
            self._by_head[form[:SHORTEST]].append(form)
        self._heads = re.compile(_any_of(self._by_head)) if found else None
        self._beginnings = frozenset(head[:length] for head in self._by_head for length in range(1, SHORTEST))
        self._longest = max(map(len, found), default=0)

    def __call__(self, text: str) -> str:
        if self._heads is None or not (self._heads.search(text) or CUT in text):
            return text
        return _replaced(text, self.found(text))

    def found(self, text: str) -> list[tuple[int, int]]:
        """Where values are, from and to: in order, and those that overlap as one."""
        return _joined(sorted((*self._whole(text), *self._cut(text))))

    def begun(self, text: str) -> int:
        """From where on the end of `text` may be the beginning of a value; its length when nothing is."""
        for at in self._hits(text, max(0, len(text) - self._longest + 1)):
            rest = text[at:]
            if any(len(form) > len(rest) and form.startswith(rest) for form in self._by_head[text[at : at + SHORTEST]]):
                return at
        last = range(max(0, len(text) - SHORTEST + 1), len(text))
        return next((at for at in last if text[at:] in self._beginnings), len(text))

    def _whole(self, text: str) -> Iterator[tuple[int, int]]:
        for at in self._hits(text, 0):
            forms = self._by_head[text[at : at + SHORTEST]]
            longest = next((form for form in forms if text.startswith(form, at)), None)
            if longest is not None:
                yield at, at + len(longest)

    def _cut(self, text: str) -> Iterator[tuple[int, int]]:
        """Values of which somebody who shortened the text left the beginning."""
        end = text.find(CUT)
        while end >= 0:
            kept = text[max(0, end - self._longest) : end].rstrip(" ")
            at = self.begun(kept)
            if len(kept) - at >= SHORTEST:
                first = max(0, end - self._longest)
                yield first + at, first + len(kept)
            end = text.find(CUT, end + 1)

    def _hits(self, text: str, at: int) -> Iterator[int]:
        while self._heads is not None and (hit := self._heads.search(text, at)):
            yield hit.start()
            at = hit.start() + 1


class Stream:
    """Text that comes in chunks: what may be the beginning of a value is held back until the next one, or the end.

    `mask` is asked for at each chunk, because values become known while a stream goes on."""

    def __init__(self, mask: Callable[[], Mask]) -> None:
        self._mask = mask
        self._held = ""
        self._marked = 0  # characters of what is held whose mark has been given out

    def feed(self, chunk: str) -> str:
        text = self._held + chunk
        return self._given(text, self._mask().begun(text))

    def end(self) -> str:
        return self._given(self._held, len(self._held))

    def _given(self, text: str, upto: int) -> str:
        """Up to there, and the rest is held. A value that reaches beyond is marked now, and not again."""
        spans = _joined([(0, self._marked), *self._mask().found(text)]) if self._marked else self._mask().found(text)
        said = _replaced(text[:upto], [(start, min(end, upto)) for start, end in spans if start < upto])
        said = said.removeprefix(MARK) if self._marked and upto else said
        beyond = next((end for start, end in spans if start < upto < end), 0)
        self._held = text[upto:]
        self._marked = beyond - upto if beyond else max(0, self._marked - upto)
        return said


def forms(value: str, public: Collection[str] = ()) -> Iterator[str]:
    """Every way of writing it that is looked for."""
    parts = {value, *_LINE_BREAK.split(value)}
    for part in parts | {each.strip() for each in parts}:
        if len(part) >= SHORTEST and part.strip() and part not in public:
            yield part
            yield from _encoded(part)
            if not _PLAIN.fullmatch(part):
                yield from _in_url(part)
                yield from _escaped(part)


def _encoded(value: str) -> Iterator[str]:
    data = _bytes(value)
    for encode in (b64encode, urlsafe_b64encode):
        alone = encode(data).decode()
        yield alone
        yield alone.rstrip("=")
        for width in _WRAPPED:
            yield from (each for each in re.findall(f".{{1,{width}}}", alone) if len(each) >= SHORTEST)
        for before in range(3):  # bytes of something else in its first group of three
            first, last = -(-8 * before // 6), 8 * (before + len(data)) // 6  # the characters that are its own alone
            yield encode(bytes(before) + data).decode()[first:last]


def _in_url(value: str) -> Iterator[str]:
    data = _bytes(value)
    for text in {quote(data, safe) for safe in _SAFE} | {quote_plus(data)}:
        yield text
        yield _IN_URL.sub(lambda hit: hit[0].lower(), text)


def _bytes(value: str) -> bytes:
    """As it was read; a surrogate that no reading makes ("\\ud800" in YAML) has bytes of a kind as well."""
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")


def _escaped(value: str) -> Iterator[str]:
    yield repr(value)[1:-1]
    for ascii_only, slashes, html in product((True, False), repeat=3):
        text = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        text = text.replace("/", "\\/") if slashes else text
        text = text.translate(_HTML) if html else text
        yield text
        yield _IN_JSON.sub(lambda hit: hit[0].upper(), text)
        yield json.dumps(text)[1:-1]  # JSON as a text within JSON


def _any_of(words: Iterable[str]) -> str:
    """As one pattern that decides character by character, however many they are. All are of the same length."""
    by_first: defaultdict[str, list[str]] = defaultdict(list)
    for word in words:
        by_first[word[0]].append(word[1:])
    told = [re.escape(first) + (_any_of(rest) if rest[0] else "") for first, rest in by_first.items()]
    return told[0] if len(told) == 1 else f"(?:{'|'.join(told)})"


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start < joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _replaced(text: str, spans: Iterable[tuple[int, int]]) -> str:
    said, at = [], 0
    for start, end in spans:
        said += [text[at:start], MARK]
        at = end
    return "".join((*said, text[at:]))
