"""The palette: every action of the key table by name, the themes, and the demo's card."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from cockpit.tui.keys import KEYS, Where, shown
from cockpit.tui.present.reasons import reason

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp


Command = tuple[str, str, Callable[[], object]]  # name, what it says of itself, what it does


class Commands(Provider):
    async def discover(self) -> Hits:
        for name, text, act in self._all():
            yield DiscoveryHit(Content(name), act, text=name, help=text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, text, act in self._all():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, Content(name), act, text=name, help=text)

    def _all(self) -> list[Command]:
        app = cast("CockpitApp", self.app)
        found: list[Command] = []
        for each in KEYS:
            if each.where is Where.ALL and not each.id.startswith("not."):
                label = f"{each.id.replace('.', ' ')}: {each.does}"
                why = reason(each.id, app.state)
                screen = app.main_screen
                act: Callable[[], object] = partial(screen.run_action, each.action)
                if why:
                    act = partial(screen.say, f"{shown(each)}: {why}")
                found.append((label, f"{shown(each, app.key_names)}{f' · not now: {why}' if why else ''}", act))
        found += _menu(app)
        for name in sorted(app.available_themes):
            if name.startswith("cockpit-"):
                act_theme = partial(setattr, app, "theme", name)
                found.append((f"theme {name.removeprefix('cockpit-')}", "colours", act_theme))
        if app.card_text is not None:
            found.append(("card: what to try", "the demo's card", app.bring_card_back))
        return found


def _menu(app: CockpitApp) -> list[Command]:
    """What stands in the menu of `x`, for the selected placement."""
    from cockpit.tui.screens import menu

    placement = app.state.placement
    if placement is None:
        return []
    act = partial(menu.start, app, placement)
    return [
        (f"{each.does}: {placement.key}", f"x · not now: {each.why}" if each.why else "x", partial(act, each))
        for each in menu.offered(app, placement)
    ]
