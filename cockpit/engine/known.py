"""The secret values that this engine has seen, in memory alone, and texts without them.

Everything that comes from outside passes here before it is shown, logged or written down: each text is looked at for
every value of every placement, because a password of one service may well be said by another.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import replace
from typing import TextIO

from cockpit.config.settings import Settings
from cockpit.mask import Mask, Stream
from cockpit.model import Failure
from cockpit.protocol import WireError
from cockpit.text import clean_log, plain

NAMES = frozenset({"step", "side"})  # fields of a Failure on the wire that are no text
KEPT = 50  # values of one place: a command may well give a new token each time


class Known:
    """Any thread may ask."""

    def __init__(self) -> None:
        self._values: defaultdict[Hashable, OrderedDict[str, None]] = defaultdict(OrderedDict)
        self._public: frozenset[str] = frozenset()
        self._mask: Mask | None = None
        self._lock = threading.Lock()

    def learn(self, place: Hashable, value: str) -> None:
        """`place` is where it came from: a file, a command, a container's variable."""
        with self._lock:
            values = self._values[place]
            if value in values:
                values.move_to_end(value)
                return
            values[value] = None
            if len(values) > KEPT:
                values.popitem(last=False)
            self._mask = None

    def publish(self, words: Iterable[str]) -> None:
        """These are no secrets, whoever has them as a value."""
        public = frozenset(words)
        with self._lock:
            if public != self._public:
                self._public, self._mask = public, None

    def mask(self) -> Mask:
        with self._lock:
            if self._mask is None:
                found = {value for values in self._values.values() for value in values}
                self._mask = Mask(found, self._public)
            return self._mask

    def hide(self, text: str) -> str:
        return self.mask()(text)

    def line(self, raw: str) -> str:
        """A log line, safe for a terminal. What cleaning puts together is looked at again, and so is what stands
        between colours."""
        mask = self.mask()
        whole = mask(raw)
        text = clean_log(whole)
        if text != whole:
            text = mask(text)
        if "\x1b" in text and mask(bare := plain(text)) != bare:
            return mask(bare)
        return text

    def error(self, error: WireError) -> WireError:
        details = {name: text if name in NAMES else self.hide(text) for name, text in error.details.items()}
        return replace(error, message=self.hide(error.message), hint=self.hide(error.hint), details=details)

    def failure(self, failure: Failure) -> Failure:
        return replace(
            failure,
            summary=self.hide(failure.summary),
            line=self.hide(failure.line),
            means=self.hide(failure.means),
            next=self.hide(failure.next),
        )


class Quiet:
    """Something to write to, such as stderr, that passes on what it gets without what is known."""

    def __init__(self, known: Known, out: TextIO) -> None:
        self._out = out
        self._stream = Stream(known.mask)

    def write(self, text: str) -> int:
        self._out.write(self._stream.feed(text))
        return len(text)

    def flush(self) -> None:
        self._out.write(self._stream.end())
        self._out.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._out, name)


def public_words(settings: Settings) -> frozenset[str]:
    """What the configuration says openly, and the cockpit with it on every screen."""
    found = {name for each in settings.placements for name in (each.key.service, each.key.environment)}
    for each in settings.placements:
        for name, process in each.service.processes.items():
            found |= {name, *process.hosts, *process.aliases, *process.networks, *process.environment.values()}
    return frozenset(found)
