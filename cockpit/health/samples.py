"""What probes and customers' requests said in the last hour, by placement, in memory and bounded.

Kept in slices of `SLICE` seconds: counts are exact, every latency is kept up to `KEPT` a slice, then an even sample of
them. Of a minute that is over only its sums stay: an hour of slices of 500 placements would be 200 MB. Times are
seconds since the epoch.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable

from cockpit.model import Minute, PlacementKey, Traffic, Trend

SLICE = 5  # seconds
HOUR = 3600
KEPT = 256  # latencies of one kind in a slice
LATE = 10.0  # seconds that lines of the edge's log may need until a minute is rolled up
USUAL_MINUTES = 5  # with requests, before an hour's p95 says anything


class Samples:
    def __init__(self) -> None:
        self._slices: defaultdict[PlacementKey, dict[int, _Slice]] = defaultdict(dict)
        self._closed: defaultdict[PlacementKey, dict[int, Minute]] = defaultdict(dict)
        self._usual: dict[PlacementKey, tuple[tuple[int, bool], float | None]] = {}  # as it was last worked out
        self._rolled_to: int | None = None  # the minute before which all were given out

    def add_probe(self, key: PlacementKey, at: float, *, good: bool, ms: float) -> None:
        piece = self._slice(key, at)
        piece.probes += 1
        piece.failed += not good
        if good:
            piece.probe_ms.add(ms)

    def add_request(self, key: PlacementKey, at: float, *, status: int, ms: float) -> None:
        piece = self._slice(key, at)
        piece.requests += 1
        piece.errors += status >= 500
        piece.request_ms.add(ms)

    def traffic(self, key: PlacementKey, now: float, since: float = 0.0) -> Traffic:
        """Customers' requests of the last minute, or of the time after `since` (a switch: what was before it is not
        the live release's doing)."""
        first = max(now - 60 + SLICE, since + SLICE)
        minute = self._sum(key, first, now, first)
        if not minute.requests:
            return Traffic()
        seconds = max(float(SLICE), now - first // SLICE * SLICE)
        return Traffic(minute.requests / seconds, 100 * minute.errors / minute.requests, minute.p95_ms, minute.requests)

    def usual_p95(self, key: PlacementKey, now: float) -> float | None:
        """Median of the p95 of the last hour's whole minutes: one bad minute does not move it. None: not known yet."""
        until = int(now // 60), now % 60 >= LATE  # after which nothing of the last whole minute is still to come
        said = self._usual.get(key)
        if said is None or said[0] != until:
            known = (self._minute(key, start, now) for start in _minutes_before(now, 60))
            found = sorted(minute.p95_ms for minute in known if minute.p95_ms is not None)
            said = self._usual[key] = until, found[len(found) // 2] if len(found) >= USUAL_MINUTES else None
        return said[1]

    def trend(self, key: PlacementKey, now: float, bins: int = 30) -> Trend:
        """By the minute, the newest still growing. Latency is customers', the probes' where there were none."""
        minutes = [self._minute(key, start, now) for start in (*_minutes_before(now, bins - 1), _minute_of(now))]
        lengths = [min(60.0, max(float(SLICE), now - minute.at)) for minute in minutes]
        return Trend(
            60,
            tuple(_latency(minute) for minute in minutes),
            tuple(
                minute.requests / length if minute.requests or minute.probes else None
                for minute, length in zip(minutes, lengths, strict=True)
            ),
            tuple(100 * minute.errors / minute.requests if minute.requests else None for minute in minutes),
        )

    def minutes(self, now: float) -> tuple[Minute, ...]:
        """Whole minutes that were not given before, of all placements; those without a sample are left out."""
        end = _minute_of(now - LATE)
        first = self._rolled_to if self._rolled_to is not None else end - HOUR
        self._rolled_to = end
        starts = range(max(first, end - HOUR), end, 60)
        rolled = [self._minute(key, start, now) for key in list(self._slices) for start in starts]
        self._drop_old(now)
        return tuple(minute for minute in rolled if minute.probes or minute.requests)

    def remember(self, minutes: Iterable[Minute]) -> None:
        """Minutes that were rolled up before, by an engine that is gone."""
        for minute in minutes:
            self._closed[minute.key].setdefault(int(minute.at), minute)
            self._usual.pop(minute.key, None)

    def forget(self, key: PlacementKey) -> None:
        self._slices.pop(key, None)
        self._closed.pop(key, None)
        self._usual.pop(key, None)

    def _slice(self, key: PlacementKey, at: float) -> _Slice:
        slices, number = self._slices[key], int(at // SLICE)
        found = slices.get(number)
        if found is None:
            found = slices[number] = _Slice()
            if len(slices) > 2 * HOUR // SLICE:
                del slices[min(slices)]
        return found

    def _minute(self, key: PlacementKey, start: int, now: float) -> Minute:
        """Summed once it is whole and nothing more can come for it."""
        closed = self._closed.get(key, {}).get(start)
        if closed is not None:
            return closed
        minute = self._sum(key, start, start + 60 - SLICE, start)
        if start + 60 + LATE <= now and key in self._slices:
            self._closed[key][start] = minute
        return minute

    def _sum(self, key: PlacementKey, first: float, last: float, at: float) -> Minute:
        """Of the slices from the one that holds `first` to the one that holds `last`."""
        slices = self._slices.get(key, {})
        numbers = range(int(first // SLICE), int(last // SLICE) + 1)
        pieces = [slices[number] for number in numbers if number in slices]
        return Minute(
            key,
            at,
            probes=sum(piece.probes for piece in pieces),
            failed=sum(piece.failed for piece in pieces),
            probe_p95_ms=_p95(piece.probe_ms for piece in pieces),
            requests=sum(piece.requests for piece in pieces),
            errors=sum(piece.errors for piece in pieces),
            p95_ms=_p95(piece.request_ms for piece in pieces),
        )

    def _drop_old(self, now: float) -> None:
        """Slices that are no part of the last minute any more, whose own minutes are closed; and minutes of an hour."""
        whole = _minute_of(now - 60 - LATE)
        for key, slices in self._slices.items():
            for start in {_minute_of(number * SLICE) for number in slices if number * SLICE < whole}:
                self._minute(key, start, now)
            self._slices[key] = {number: piece for number, piece in slices.items() if number * SLICE >= whole}
        oldest = now - HOUR - 60
        for key, closed in self._closed.items():
            self._closed[key] = {start: minute for start, minute in closed.items() if start >= oldest}


class _Slice:
    __slots__ = ("errors", "failed", "probe_ms", "probes", "request_ms", "requests")

    def __init__(self) -> None:
        self.probes = self.failed = self.requests = self.errors = 0
        self.probe_ms, self.request_ms = _Latencies(), _Latencies()


class _Latencies:
    """All of them up to `KEPT`; from then on every second, fourth … one, so that no part of the slice weighs more."""

    __slots__ = ("every", "kept", "seen")

    def __init__(self) -> None:
        self.kept = array("f")
        self.every = 1  # each kept one stands for so many
        self.seen = 0

    def add(self, ms: float) -> None:
        if self.seen % self.every == 0:
            self.kept.append(ms)
            if len(self.kept) > KEPT:
                self.kept = self.kept[::2]
                self.every *= 2
        self.seen += 1


def _p95(parts: Iterable[_Latencies]) -> float | None:
    """Nearest rank, each kept latency counted as often as it stands for."""
    weighed = sorted((ms, part.every) for part in parts for ms in part.kept)
    total = sum(weight for _, weight in weighed)
    passed = 0
    for ms, weight in weighed:
        passed += weight
        if passed >= 0.95 * total:
            return float(ms)
    return None


def _latency(minute: Minute) -> float | None:
    return minute.p95_ms if minute.p95_ms is not None else minute.probe_p95_ms


def _minute_of(at: float) -> int:
    return int(at // 60) * 60


def _minutes_before(now: float, count: int) -> range:
    """Starts of the last `count` whole minutes, oldest first."""
    end = _minute_of(now)
    return range(end - 60 * count, end, 60)
