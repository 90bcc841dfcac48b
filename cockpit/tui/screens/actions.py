"""What the keys of the main screen do. Each either moves the view or opens a sheet; none changes production."""

from __future__ import annotations

import time

from cockpit.model import Commit, OperationKind, Release
from cockpit.protocol import OPERATIONS, REFRESH, CommitRequest, For, OperationsRequest, RangeRequest
from cockpit.text import plain
from cockpit.tui.keys import BY_ID
from cockpit.tui.log import LogView
from cockpit.tui.panes.list_pane import ListPane
from cockpit.tui.present.reasons import reason
from cockpit.tui.screens.layout import PANES, Layout
from cockpit.tui.state import choose_environment, next_failing

TWICE = 2.0  # seconds within which ctrl+c twice leaves


class Actions(Layout):
    _interrupted = 0.0

    def action_help(self) -> None:
        from cockpit.tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.focused_pane, self.cockpit.key_names, self.cockpit.state))

    def action_palette(self) -> None:
        self.app.action_command_palette()

    def action_find(self) -> None:
        target = self.focused
        if isinstance(target, ListPane):
            self.find_bar.open_for(target, target.filter, "filter this list")
        elif isinstance(target, LogView):
            self.find_bar.open_for(target, target.search.query, "search · !without · r:regex")

    def action_back(self) -> None:
        """One step out: the filter, the zoom, then Services."""
        target = self.focused
        if (isinstance(target, ListPane) and target.filter) or (isinstance(target, LogView) and target.search.query):
            target.find("")
        elif self.zoomed:
            self.action_zoom(-1)
        else:
            self.focus_pane("services")

    def action_detach(self) -> None:
        self.cockpit.detach()

    def action_interrupt(self) -> None:
        now = time.monotonic()
        if now - self._interrupted < TWICE:
            self.cockpit.detach()
        self._interrupted = now
        self.say("ctrl+c again leaves; what runs goes on")

    def action_pane(self, name: str) -> None:
        self.focus_pane(name)

    def action_cycle(self, by: int) -> None:
        self.focus_pane(PANES[(PANES.index(self.focused_pane) + by) % len(PANES)])

    def action_tab(self, name: str) -> None:
        self.main.choose(name)

    def action_turn(self, by: int) -> None:
        self.main.step_tab(by)

    @property
    def zoomed(self) -> bool:
        return any(each.startswith("-zoom-") for each in self.classes)

    def action_zoom(self, by: int) -> None:
        pane, was = self.focused_pane, self.zoomed
        for each in (*PANES, "lists"):
            self.remove_class(f"-zoom-{each}")
        if by > 0 and not was:
            self.add_class(f"-zoom-{pane}")
            self.set_class(pane != "main", "-zoom-lists")

    def action_scroll_main(self, by: int) -> None:
        content = self.main.content
        if isinstance(content, LogView):
            content.action_move(by)
        else:
            content.scroll_relative(y=by, animate=False)

    def action_diff(self) -> None:
        from cockpit.tui.screens.diff import DiffScreen

        key = self.cockpit.state.selected
        pane = self.pane(self.focused_pane)
        item = pane.current if isinstance(pane, ListPane) else None
        if key is None or not isinstance(item, (Commit, Release)):
            self.say("v shows what a commit (2) or a release (3) changed")
        elif isinstance(item, Commit):
            self.app.push_screen(DiffScreen(self.cockpit, CommitRequest(key, item.sha)))
        else:
            older = next((each.commit for each in self.releases.items if each.number < item.number), "")
            request = RangeRequest(key, older, item.commit) if older else CommitRequest(key, item.commit)
            self.app.push_screen(DiffScreen(self.cockpit, request))

    def action_next_failing(self) -> None:
        state = self.cockpit.state
        found = next_failing(state)
        if found is state:
            self.say("nothing is failing")
        else:
            self.cockpit.show(found)

    def action_environments(self) -> None:
        from cockpit.tui.screens.environments import EnvironmentsScreen

        def take(environment: str | None) -> None:
            if environment:
                self.cockpit.show(choose_environment(self.cockpit.state, environment))

        self.app.push_screen(EnvironmentsScreen(self.cockpit.state), take)

    def action_deploy(self) -> None:
        from cockpit.tui.screens.deploy import DeployScreen

        placement = self.cockpit.state.placement
        if placement and not placement.configured:
            self.say(f"D: {reason('deploy', self.cockpit.state)}")
        elif key := self.cockpit.state.selected:
            chosen = self.pending.current if self.pending.has_focus else None
            self.app.push_screen(DeployScreen(self.cockpit, key, chosen.sha if chosen else ""))

    def action_rollback(self) -> None:
        from cockpit.tui.screens.rollback import RollbackScreen

        if key := self.cockpit.state.selected:
            self.app.push_screen(RollbackScreen(self.cockpit, key))

    def action_cancel(self) -> None:
        from cockpit.tui.screens.cancel import CancelScreen

        operation = self.cockpit.state.running_of(self.cockpit.state.selected)
        if operation is None:
            left = self.cockpit.state.left_of(self.cockpit.state.selected)
            why = reason("cancel", self.cockpit.state) if left else "nothing runs here: there is nothing to cancel"
            self.say(why)
        else:
            self.app.push_screen(CancelScreen(self.cockpit, operation))

    def action_actions(self) -> None:
        from cockpit.tui.screens.menu import MenuScreen

        if placement := self.cockpit.state.placement:
            chosen = self.releases.current if self.releases.has_focus else None
            self.app.push_screen(MenuScreen(self.cockpit, placement, chosen.number if chosen else None))

    def action_promote(self) -> None:
        self.say(f"P: {BY_ID['promote'].later}")

    def action_incident(self) -> None:
        self.say(f"I: {BY_ID['incident'].later}")

    def action_fresh(self) -> None:
        self.cockpit.frame.forget()
        self.refresh(layout=True)
        if key := self.cockpit.state.selected:
            self.cockpit.request(REFRESH, For(key), said="fetching and probing")

    def action_copy(self) -> None:
        from cockpit.tui.present.copies import offered
        from cockpit.tui.screens.copy import CopyScreen

        pane = self.pane(self.focused_pane)
        found = offered(self.cockpit.state, pane.current if isinstance(pane, ListPane) else None)
        if found:
            self.app.push_screen(CopyScreen(self.cockpit, found))
        else:
            self.say("there is nothing to copy")

    def action_action_log(self) -> None:
        from cockpit.tui.screens.operations import OperationsScreen

        self.app.push_screen(OperationsScreen(self.cockpit))

    def action_mouse(self) -> None:
        self.say(self.cockpit.toggle_mouse())

    def action_suspend_process(self) -> None:
        self.app.action_suspend_process()

    def action_say(self, text: str) -> None:
        self.say(text)

    def action_error(self) -> None:
        """From Health and Steps: to the log that has the telling line."""
        operation = self.main.operation
        failure = operation.failure if operation and self.main.tab != "health" else None
        self.main.choose("build" if failure else "service")
        self.focus_pane("main")
        view = self.main.content
        if isinstance(view, LogView):
            view.seek_error(plain(failure.line) if failure else "")

    async def open_log_of(self, release: Release) -> None:
        """The log of the deploy that made it."""
        answer = await self.cockpit.ask(OPERATIONS, OperationsRequest(release.key, limit=200))
        known = answer.operations if answer else ()
        deploys = (each for each in known if each.kind is OperationKind.DEPLOY)
        made = next((each for each in deploys if each.to_release == release.number), None)
        if made is None:
            self.say(f"the log of {release.name}'s deploy is not kept")
        elif self.cockpit.state.selected == release.key:
            self.main.show_log(made)
            self.focus_pane("main")

    def say(self, text: str) -> None:
        self.notify(text, markup=False, timeout=3)
