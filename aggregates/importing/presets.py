"""Mappings that come with the site, for `import_usage --preset NAME`."""

from dataclasses import dataclass

from aggregates.importing.mappings import FieldMapping, Only


@dataclass(frozen=True, slots=True)
class Preset:
    """A saved mapping. It is complete: fields that it does not name are left empty."""

    name: str
    about: str
    mapping: FieldMapping


PRESETS = (
    Preset(
        "aider",
        "analytics log of the coding assistant aider (aider --analytics-log FILE)",
        FieldMapping(
            paths={
                "timestamp": "time",
                "operation": "event",
                "model": "properties.main_model",
                "user_id": "user_id",
                "input_tokens": "properties.prompt_tokens",
                "output_tokens": "properties.completion_tokens",
                "cost": "properties.cost",
            },
            own_names=False,
            only=Only("event", "message_send"),  # its other events are of the program, and no calls
        ),
    ),
)
