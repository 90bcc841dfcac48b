"""Only cells that differ from what the terminal shows already are sent to it.

Textual repaints whole regions: opening a sheet would cost 50 kB, three seconds on a 16 KB/s line. Here the last frame
is remembered cell by cell, and an update becomes the runs that changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._cells import cell_len
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

Cell = tuple[str, Style | None] | None  # None: not known; ("", style): the right half of a wide character
Piece = tuple[int, int, Strip]  # y, x, what stands there
GAP = 8  # unchanged cells that cost less to send again than to jump over


class Frame:
    """What the terminal shows, as far as we wrote it."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Cell]] = {}

    def forget(self) -> None:
        """The terminal may show anything: the next update is sent whole."""
        self._rows.clear()

    def changes(self, pieces: Iterable[Piece]) -> Iterator[tuple[int, int, list[Segment]]]:
        for y, x, strip in pieces:
            row = self._rows.setdefault(y, [])
            cells = _cells(strip)
            row.extend([None] * (x + len(cells) - len(row)))
            for start, end in _runs(row[x : x + len(cells)], cells):
                yield y, x + start, _segments(cells[start:end])
            row[x : x + len(cells)] = cells


class Patch(CompositorUpdate):
    """An update of the compositor, less what the terminal shows already."""

    def __init__(self, update: LayoutUpdate | ChopsUpdate, frame: Frame) -> None:
        self._update, self._frame = update, frame

    def render_segments(self, console: Console) -> str:
        return "".join(
            f"\x1b[{y + 1};{x + 1}H{Strip(segments).render(console)}"
            for y, x, segments in self._frame.changes(_pieces(self._update))
        )


def _pieces(update: LayoutUpdate | ChopsUpdate) -> Iterator[Piece]:
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in strips:
                yield y, x, strip
                x += strip.cell_length
        return
    for y, x1, x2 in update.spans:
        for end, (x, chop) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if chop is not None and x < x2 and end > x1:
                yield y, x, chop


def _cells(strip: Strip) -> list[Cell]:
    cells: list[Cell] = []
    for text, style, control in strip:
        if control:
            continue
        if text.isascii():
            cells.extend((char, style) for char in text)
            continue
        for char in text:
            size = cell_len(char)
            if size == 0 and cells and cells[-1] is not None:
                before = cells.pop()
                cells.append((before[0] + char, before[1]) if before else None)
            else:
                cells.extend([(char, style), *[("", style)] * (size - 1)])
    return cells


def _runs(old: list[Cell], new: list[Cell]) -> list[tuple[int, int]]:
    """Where they differ, near differences taken together, never starting or ending inside a wide character."""
    if old == new:
        return []
    runs: list[tuple[int, int]] = []
    for place, (was, now) in enumerate(zip(old, new, strict=True)):
        if was == now:
            continue
        if runs and place - runs[-1][1] <= GAP:
            runs[-1] = (runs[-1][0], place + 1)
        else:
            runs.append((place, place + 1))
    return [(_boundary(new, start, -1), _boundary(new, end, 1)) for start, end in runs]


def _boundary(cells: list[Cell], place: int, step: int) -> int:
    while 0 < place < len(cells) and (cell := cells[place]) is not None and cell[0] == "":
        place += step
    return place


def _segments(cells: list[Cell]) -> list[Segment]:
    found: list[tuple[list[str], Style | None]] = []
    for cell in cells:
        if cell is None:
            continue
        if found and found[-1][1] == cell[1]:
            found[-1][0].append(cell[0])
        else:
            found.append(([cell[0]], cell[1]))
    return [Segment("".join(texts), style) for texts, style in found]
