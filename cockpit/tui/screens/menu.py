"""`x`: what else can be done with a placement, safe things first. What cannot be done says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cockpit.model import Placement
from cockpit.tui.line import line
from cockpit.tui.screens.chooser import Chooser, Row

if TYPE_CHECKING:
    from cockpit.tui.app import CockpitApp

LATER = {
    "probe": ("probe address", "a private address for looking at a release: comes later"),
    "exec": ("shell in a container", "comes later"),
    "restart": ("restart", "comes later; a deploy of the same commit replaces the containers"),
    "lock": ("lock", "comes later"),
    "freeze": ("freeze everything", "comes later"),
    "maintenance": ("maintenance page", "comes later"),
}


class MenuScreen(Chooser):
    def __init__(self, app: CockpitApp, placement: Placement) -> None:
        super().__init__(f"{placement.key.service}, {placement.key.environment}")
        self.cockpit, self.placement = app, placement

    def content(self) -> list[Row]:
        held = self.placement.hold is not None
        url = self.placement.url or ", ".join(self.placement.hosts)
        return [
            ("refresh", line(f"{'fetch and probe now':<24}", ("R", "accent"))),
            ("url", line(f"{'copy where customers go':<24}", (url or "not routed", "" if url else "faint"))),
            (
                "unhold",
                line(
                    (f"{'release the hold':<24}", "" if held else "faint"), ("" if held else "it is not held", "faint")
                ),
            ),
            *((name, line((f"{does:<24}", "faint"), (why, "faint"))) for name, (does, why) in LATER.items()),
        ]

    def take(self, identity: str) -> None:
        from cockpit.protocol import REFRESH, For
        from cockpit.tui.screens.reason import UnholdScreen

        if identity in LATER:
            self.cockpit.say(f"{LATER[identity][0]}: {LATER[identity][1]}")
            return
        if identity == "unhold" and self.placement.hold is None:
            self.cockpit.say("it is not held")
            return
        self.dismiss(None)
        if identity == "refresh":
            self.cockpit.request(REFRESH, For(self.placement.key), said="fetching and probing")
        elif identity == "url":
            self.cockpit.copy(self.placement.url or ", ".join(self.placement.hosts))
        else:
            self.cockpit.push_screen(UnholdScreen(self.cockpit, self.placement))
