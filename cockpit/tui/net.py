"""The net under `text.clean`: no control character of any origin leaves for the terminal through a widget.

Textual and Rich pass OSC 52, C1 controls and bidirectional overrides through; all of these have no width, so
dropping them moves nothing on the screen."""

from __future__ import annotations

import re

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SUSPECT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


class Net(LineFilter):
    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if not any(_SUSPECT.search(segment.text) for segment in segments):
            return segments
        return [
            segment if segment.control else Segment(_SUSPECT.sub("", segment.text), segment.style)
            for segment in segments
        ]
