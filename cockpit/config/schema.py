"""The configuration's JSON Schema, for editors: completion, types and descriptions of the YAML's own form."""

from __future__ import annotations

from cockpit.config.base import JsonSchema
from cockpit.config.form import ROOT


def schema() -> JsonSchema:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Cockpit configuration",
        "description": "Services that the cockpit deploys, and where. Durations without a unit are seconds.",
        **ROOT.schema(),
    }
