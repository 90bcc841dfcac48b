"""What to try, in five lines that a terminal of 80 columns shows whole."""

from __future__ import annotations

from cockpit.demo.repo import Shop


def card(shop: Shop, engine: int) -> str:
    """`engine` is the pid of the one that runs now."""

    def short(name: str) -> str:
        return shop[name][:7]

    return "\n".join(
        (
            f"1  checkout, D, j to {short('declined')}, y: a good deploy. Nothing is lost.",
            f"2  Bad ones: web to {short('data')} or {short('stock')}, checkout to {short('stripe')}. Read why.",
            "3  q in the middle of a deploy, `cockpit demo` again: it went on.",
            f"4  checkout to {short('tax')}: turns bad 20 s after its checks. B, then y.",
            f"5  In a deploy, elsewhere: kill -9 {engine} (the engine). It comes back.",
        )
    )
