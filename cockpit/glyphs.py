"""How each state looks, the same on the command line and in the full screen: a glyph and a tone beside its word.

A tone is the theme's: good, warn, bad, accent, muted.
"""

from __future__ import annotations

from cockpit.model import Health, OperationState, StepState, Tier

Glyph = tuple[str, str]  # glyph, tone

HEALTH: dict[Health, Glyph] = {
    Health.HEALTHY: ("●", "good"),
    Health.DEGRADED: ("▲", "warn"),
    Health.FAILING: ("✖", "bad"),
    Health.STOPPED: ("■", "muted"),
    Health.UNKNOWN: ("?", "warn"),
}
STEP: dict[StepState, Glyph] = {
    StepState.PENDING: ("·", "muted"),
    StepState.RUNNING: ("◐", "accent"),
    StepState.DONE: ("✔", "good"),
    StepState.FAILED: ("✖", "bad"),
    StepState.SKIPPED: ("–", "muted"),
}
OUTCOME: dict[OperationState, Glyph] = {
    OperationState.RUNNING: ("◐", "accent"),
    OperationState.SUCCEEDED: ("✔", "good"),
    OperationState.FAILED: ("✖", "bad"),
    OperationState.CANCELLED: ("–", "muted"),
    OperationState.RECOVERING: ("▲", "warn"),
    OperationState.INTERRUPTED: ("▲", "warn"),
    OperationState.STUCK: ("✖", "bad"),
}
RECORDED: dict[str, Glyph] = {  # what came of an action in the audit; of an operation also those above
    "began": ("◐", "accent"),
    "asked": ("◐", "accent"),
    "done": ("✔", "good"),
    "expired": ("·", "muted"),
    "refused": ("–", "warn"),
    **{state.value: glyph for state, glyph in OUTCOME.items()},
}
SPEED = {Tier.HOT: "instant", Tier.STOPPED: "fast", Tier.RETAINED: "fast", Tier.GONE: "slow"}  # of a rollback there
