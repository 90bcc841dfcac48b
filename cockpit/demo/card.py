"""What to try, in five lines."""

from __future__ import annotations

from cockpit.demo.repo import Shop


def card(shop: Shop, engine: int) -> str:
    """`engine` is the pid of the one that runs now."""

    def short(name: str) -> str:
        return shop[name][:7]

    return "\n".join(
        (
            f"1  A good deploy: checkout, D, up to {short('declined')}. The customers' counter stays at 0 lost.",
            f"2  A bad one: web up to {short('data')} or {short('stock')}, checkout up to {short('stripe')}. Read why.",
            "3  Press q in the middle of a deploy, then start `cockpit demo` again: it went on without you.",
            f"4  Checkout up to {short('tax')} passes its checks and turns bad 20 s later: B, then y.",
            f"5  In a deploy, from another terminal: kill -9 {engine} (the engine). A new one takes over.",
        )
    )
