from __future__ import annotations

import time
from dataclasses import replace

import pytest

from cockpit.model import LogLine
from cockpit.protocol import Event, LogChunk
from cockpit.tui.log import LogView
from cockpit.tui.log_lines import KEPT, LogWindow, Stamp, safe, stamp, telling, wanted
from cockpit.tui.log_rows import Rows
from tests.fakes.link import FAILED_DEPLOY, NOW, WEB
from tests.tui.harness import Cockpit, cockpit


def lines(*texts: str, start: int = 0, source: str = "") -> tuple[LogLine, ...]:
    return tuple(LogLine(start + n, 1000.0 + n, text, source) for n, text in enumerate(texts))


def test_the_window_is_bounded_and_counts_what_it_forgot() -> None:
    window = LogWindow(limit=3)
    window.append(lines("a", "b", "c", "d", "e"))
    assert [each.text for each in window.lines] == ["c", "d", "e"]
    assert (window.first, window.forgotten, window.end) == (2, 2, 5)
    assert window.at(1) is None
    assert window.at(4) is not None


def test_search_goes_on_from_the_other_end() -> None:
    window = LogWindow()
    window.append(lines("x", "hit", "x", "hit", "x"))
    find = wanted("HIT")
    assert window.search(find, 2, 1) == 3
    assert window.search(find, 4, 1) == 1
    assert window.search(find, 0, -1) == 3
    assert window.search(wanted("nothing"), 0, 1) is None


def test_the_three_ways_to_search() -> None:
    assert wanted("err")("an ERROR")
    assert wanted("!err")("fine")
    assert wanted("r:^a.c$")("abc")
    assert not wanted("!r:^a")("abc")
    with pytest.raises(ValueError, match="not a regular expression"):
        wanted("r:(")


@pytest.mark.parametrize("text", ["KeyError: 'A'", "panic: boom", "connection refused", "exit status 3"])
def test_a_telling_line_is_known(text: str) -> None:
    assert telling(text)


def test_a_plain_line_is_not_telling() -> None:
    assert not telling("GET /errors_page 200 in 3 ms mirror terror")


def test_sections_are_where_the_source_changes() -> None:
    window = LogWindow()
    window.append((*lines("a", "b", source="fetch"), *lines("c", "d", source="build")))
    assert window.section(0, 1) == 2
    assert window.section(3, -1) == 2
    assert window.section(2, 1) is None


def test_wrapped_and_matching_rows_follow_the_window() -> None:
    window = LogWindow(limit=3)
    rows = Rows(window)
    rows.wrap_at(4)
    window.append(lines("123456789", "x"))
    assert rows.append(2) == 0
    assert [rows.at(row) for row in range(len(rows))] == [(0, 0), (0, 4), (0, 8), (1, 0)]
    window.append(lines("y", "z"))
    assert rows.append(2) == 3
    assert len(rows) == 3
    rows.only = wanted("z")
    rows.rebuild()
    assert [rows.at(row) for row in range(len(rows))] == [(3, 0)]


def test_stamps_are_off_relative_local_and_utc() -> None:
    each = LogLine(0, 1000.25, "x")
    assert stamp(each, Stamp.OFF, 1010.0) == ""
    assert "9.8s" in stamp(each, Stamp.RELATIVE, 1010.0)
    assert stamp(each, Stamp.UTC, 1010.0) == "00:16:40.250 "
    assert [Stamp.OFF.next, Stamp.UTC.next] == [Stamp.RELATIVE, Stamp.OFF]


def test_a_line_of_ten_megabytes_is_cut_and_colour_is_kept() -> None:
    each = safe(LogLine(0, 0.0, "\x1b[31mx\x1b]52;c;AAAA\x07" + "y" * 10_000_000))
    assert len(each.text) < 5000
    assert "\x1b[31m" in each.text
    assert "]52" not in each.text


async def opened(it: Cockpit) -> LogView:
    await it.press("7", "0")
    await it.until(lambda: bool(it.link.requests("logs.open")), "a subscription")
    view = it.app.main_screen.main.content
    assert isinstance(view, LogView)
    return view


async def fed(it: Cockpit, view: LogView, *texts: str, start: int = 0) -> None:
    before = view.window.end
    it.link.lines(list(texts), start=start)
    await it.until(lambda: view.window.end == before + len(texts), "the lines")


async def test_a_log_follows_its_end_and_says_so() -> None:
    async with cockpit() as it:
        view = await opened(it)
        await fed(it, view, *(f"line {n}" for n in range(200)))
        await it.sees("line 199")
        await it.sees("● following · 200 lines")


async def test_scrolling_up_pauses_and_counts_what_is_new_and_f_goes_live() -> None:
    async with cockpit() as it:
        view = await opened(it)
        await fed(it, view, *(f"line {n}" for n in range(200)))
        await it.press("k", "k")
        await fed(it, view, "new one", "new two")
        await it.sees("‖ paused · 2 new")
        assert "new two" not in it.screen
        await it.press("f")
        await it.sees("new two")


async def test_a_paused_view_stays_on_its_lines_while_old_ones_are_forgotten() -> None:
    async with cockpit() as it:
        view = await opened(it)
        view.window.limit = 300
        await fed(it, view, *(f"line {n}" for n in range(300)))
        await it.press("k", "b")
        top = it.screen
        first = next(word for word in top.split("line ")[1:])[:3]
        await fed(it, view, *(f"late {n}" for n in range(50)))
        assert f"line {first}" in it.screen


async def test_search_next_previous_and_only_matches() -> None:
    async with cockpit() as it:
        view = await opened(it)
        await fed(it, view, *(f"row {n}{' needle' if n % 50 == 7 else ''}" for n in range(200)))
        await it.press("slash", *"needle", "enter")
        await it.until(lambda: view.at == 157, "the newest match")
        await it.press("N")
        assert view.at == 107
        await it.press("n")
        assert view.at == 157
        await it.press("ampersand")
        await it.sees("only matches")
        assert len(view.rows) == 4
        await it.press("ampersand")
        assert len(view.rows) == 200


async def test_a_bad_regular_expression_is_said() -> None:
    async with cockpit() as it:
        view = await opened(it)
        await fed(it, view, "x")
        await it.press("slash", *"r:", "left_parenthesis", "enter")
        assert "not a regular expression" in it.notices


async def test_e_goes_from_one_telling_line_to_the_next() -> None:
    async with cockpit() as it:
        view = await opened(it)
        await fed(it, view, "ok", "KeyError: 'A'", "ok", "fatal: B", "ok")
        await it.press("e")
        assert view.at == 1
        await it.press("e")
        assert view.at == 3


async def test_wrap_stamps_and_sideways_change_only_the_view() -> None:
    async with cockpit() as it:
        view = await opened(it)
        await fed(it, view, "start " + "x" * 300 + " end")
        assert " end" not in it.screen
        await it.press("w")
        await it.sees(" end")
        await it.press("w", "right", "right")
        assert view.scroll_offset.x == 32
        await it.press("t", "t", "t")
        assert view.stamps is Stamp.UTC


async def test_below_100_columns_long_lines_are_wrapped_and_w_still_toggles() -> None:
    async with cockpit(size=(80, 24)) as it:
        view = await opened(it)
        await fed(it, view, "start " + "x" * 300 + " end")
        await it.sees(" end")
        await it.press("w")
        await it.until(lambda: " end" not in it.screen, "the line unwrapped")


async def test_who_reads_logs_reads_the_next_services_log_even_when_its_deploy_has_just_ended() -> None:
    async with cockpit() as it:
        await opened(it)
        ended = replace(FAILED_DEPLOY, key=WEB, ended_at=NOW - 5)
        it.link.push(Event(operation=ended))
        await it.settled()
        it.app.choose(WEB)
        await it.until(lambda: it.link.requests("logs.open")[-1].key == WEB, "the log of web")
        assert it.app.main_screen.main.tab == "service"


async def test_y_copies_the_screen_or_the_marked_range_without_colours() -> None:
    async with cockpit() as it:
        view = await opened(it)
        await fed(it, view, "\x1b[31mred\x1b[0m", "second", "third")
        await it.press("y")
        assert it.app.clipboard == "red\nsecond\nthird"


async def test_s_saves_the_log_for_its_owner_only(own_home: object) -> None:
    from pathlib import Path

    async with cockpit() as it:
        view = await opened(it)
        await fed(it, view, "one", "two")
        await it.press("S")
        home = Path(str(own_home))
        await it.until(lambda: bool(list(home.glob("cockpit-*.log"))), "the file")
        await it.until(lambda: "saved to" in it.notices, "the notice")
        (path,) = home.glob("cockpit-*.log")
        assert path.read_text() == "one\ntwo\n"
        assert path.stat().st_mode & 0o777 == 0o600


async def test_dropped_lines_are_counted_on_the_screen() -> None:
    async with cockpit() as it:
        view = await opened(it)
        it.link.push(LogChunk(it.link._opened, lines("after"), dropped=1234))
        await it.until(lambda: view.window.end == 1, "the line")
        await it.sees("1234 left out")


async def test_lines_that_come_before_the_subscription_is_known_are_not_lost() -> None:
    async with cockpit() as it:
        pane = it.app.main_screen.main.logs["service"]
        pane.subscription, pane.request = None, None
        await it.press("7")
        it.app.apply(LogChunk(1, lines("early bird")))
        await it.sees("early bird")


async def test_leaving_a_log_closes_its_subscription() -> None:
    async with cockpit() as it:
        await opened(it)
        await it.press("4")
        await it.until(lambda: bool(it.link.requests("logs.close")), "the close")


async def test_a_log_is_opened_again_when_the_engine_comes_back() -> None:
    async with cockpit() as it:
        await opened(it)
        it.link.lose()
        await it.settled()
        it.link.connect(restarted=True)
        await it.until(lambda: len(it.link.requests("logs.open")) == 2, "a second subscription")


async def test_a_flood_stays_bounded_and_costs_few_repaints(monkeypatch: pytest.MonkeyPatch) -> None:
    async with cockpit() as it:
        view = await opened(it)
        painted = 0
        render = view.render_line

        def counted(y: int) -> object:
            nonlocal painted
            painted += 1
            return render(y)

        monkeypatch.setattr(view, "render_line", counted)
        start = time.monotonic()
        for batch in range(60):
            it.link.lines([f"flood {batch * 250 + n}" for n in range(250)], start=batch * 250)
            await it.pilot.pause(0.005)
        await it.until(lambda: view.window.end + view.window.forgotten >= 15_000, "all lines")
        took = time.monotonic() - start
        assert len(view.window.lines) <= KEPT
        assert len(view._waiting) <= KEPT
        assert painted <= (took / 0.1 + 3) * (view.size.height + 1)
        await it.sees("flood 14999")
