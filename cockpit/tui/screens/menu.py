"""`x`: what else can be done with a placement. Each opens its sheet; what cannot be done says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cockpit import foreground
from cockpit.model import Placement
from cockpit.protocol import REFRESH, For
from cockpit.tui.paced import PacedScreen
from cockpit.tui.present import menu
from cockpit.tui.screens.chooser import Chooser

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


WAYS_ON = ("recover", "unhold", "unlock")  # what a placement in such a state has the menu opened for


class MenuScreen(Chooser):
    def __init__(self, app: CockpitApp, placement: Placement, release: int | None = None) -> None:
        """`release` is the one under the cursor, for those actions that are about one."""
        actions = offered(app, placement)
        rows = [(each.id, menu.row(each)) for each in actions]
        super().__init__(f"{placement.key.service}, {placement.key.environment}", rows)
        self.cockpit, self.placement, self.release = app, placement, release
        self.actions = {each.id: each for each in actions}
        self.rows.chosen = next((each.id for each in actions if each.id in WAYS_ON and not each.why), None)

    def take(self, identity: str) -> None:
        action = self.actions[identity]
        if not action.why:
            self.dismiss(None)
        start(self.cockpit, self.placement, action, self.release)


def offered(app: CockpitApp, placement: Placement) -> list[menu.Action]:
    return menu.actions(placement, app.state, docker_here=foreground.is_there("docker"))


def start(app: CockpitApp, placement: Placement, action: menu.Action, release: int | None = None) -> None:
    """What would change anything only opens its sheet."""
    if action.why:
        app.say(f"{action.does}: {action.why}")
    elif action.id == "refresh":
        app.request(REFRESH, For(placement.key), said="fetching and probing")
    elif action.id == "url":
        app.copy(placement.url or ", ".join(placement.hosts))
    else:
        app.push_screen(_screen(app, placement, action.id, release))


def _screen(app: CockpitApp, placement: Placement, id: str, release: int | None) -> PacedScreen:
    from cockpit.tui.screens.containers import ContainersScreen
    from cockpit.tui.screens.exec import ExecScreen
    from cockpit.tui.screens.locks import FreezeScreen, LockScreen, UnfreezeScreen, UnlockScreen
    from cockpit.tui.screens.open import OpenScreen
    from cockpit.tui.screens.reason import UnholdScreen
    from cockpit.tui.screens.rescue import RecoverScreen, TakeoverScreen
    from cockpit.tui.screens.restart import RestartScreen

    if id == "others":
        return ContainersScreen(app)
    if id == "open":
        return OpenScreen(app, placement.key, release)
    sheets: dict[str, Callable[[CockpitApp, Placement], PacedScreen]] = {
        "exec": ExecScreen,
        "restart": RestartScreen,
        "lock": LockScreen,
        "unlock": UnlockScreen,
        "unhold": UnholdScreen,
        "freeze": FreezeScreen,
        "unfreeze": UnfreezeScreen,
        "recover": RecoverScreen,
        "takeover": TakeoverScreen,
    }
    return sheets[id](app, placement)
