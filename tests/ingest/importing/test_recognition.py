"""A file is recognised by its own columns or keys; what could be several formats, or is none, is not guessed."""

import json
from dataclasses import replace

import pytest

from aggregates.ingest.importing import recognition
from aggregates.ingest.importing.files import open_usage_file
from aggregates.ingest.importing.mappings import MappingError
from aggregates.ingest.importing.presets import PRESETS
from aggregates.ingest.importing.recognition import recognize
from aggregates.models import Organization, UsageLog
from tests.api.test_litellm import EVENT, FAILURE
from tests.ingest.dialects.samples import (
    ANTHROPIC_COSTS,
    CODEX,
    CURSOR,
    FILES,
    OPENAI_COSTS,
    lines,
)
from tests.ingest.importing.test_presets import BUCKET, RESULT, SESSION
from tests.management.test_import_usage import FULL, MESSAGE, Write, import_usage, refused, write

__all__ = ["write"]

SUM = {**RESULT, "start_time": 1740787200, "end_time": 1740873600}
# As Langfuse's API has it: some of its names are also Helicone's.
OBSERVATION = {
    **{"id": "o-1", "traceId": "t-1", "type": "GENERATION", "startTime": "2025-03-01T10:00:00Z", "model": "gpt-5"},
    **{"createdAt": "2025-03-01T10:00:00Z", "promptTokens": 5, "completionTokens": 1, "latency": 1},
}
EVERY: dict[str, list[str]] = {
    **FILES,
    "aider": [lines({"event": "cli session", "properties": {}, "time": 1723560042}, MESSAGE)],
    "calls": [
        lines(FULL),
        json.dumps([FULL], indent=2),
        "timestamp,model,cost\n2025-03-01,m,1\n",
        "timestamp,kind,cost\n2025-03-01,charge,-1\n",
        lines({"timestamp": "2025-03-01", "kind": "charge", "cost": 20}),
    ],
    "claude-code": [lines(*SESSION)],
    "langfuse": [*FILES["langfuse"], lines(OBSERVATION)],
    "litellm": [lines(EVENT), lines(FAILURE), json.dumps([EVENT, FAILURE]), "startTime,model,spend\n2025-03-01,m,1\n"],
    "openai-usage-export": [
        json.dumps({"object": "page", "data": [{"results": []}, BUCKET]}, indent=2),
        lines(BUCKET),
        lines(SUM),
        f"{','.join(SUM)}\n{','.join(map(str, SUM.values()))}\n",
    ],
}


def test_every_format_has_a_sample_here() -> None:
    assert sorted(EVERY) == sorted(preset.name for preset in PRESETS)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in EVERY.items() for text in texts])
def test_a_file_is_recognised_and_recorded(acme: Organization, write: Write, name: str, text: str) -> None:
    said = import_usage(write(text), "--preset", "auto", "--set", "model=m")[0]
    assert said.startswith(f"Recognised as {name}: ")
    assert UsageLog.objects.exists()


@pytest.mark.parametrize(
    ("preset", "text"), [("openai-usage-export", lines(OPENAI_COSTS)), ("anthropic-usage", lines(ANTHROPIC_COSTS))]
)
def test_costs_are_refused_as_usage(acme: Organization, write: Write, preset: str, text: str) -> None:
    said = refused(write(text), "--preset", preset)
    assert "line 1: this is money and not usage" in said
    assert f"import it as charges with --preset {preset.partition('-')[0]}-costs" in said


def test_what_is_not_recognised_says_what_was_tried_and_expected(acme: Organization, write: Write) -> None:
    said = refused(write("Date,Model,Cost\n2026-03-01,m,1\n"), "--preset", "auto")
    assert said.startswith(
        "the format of the file is not recognised. The columns are: “Date”, “Model”, “Cost”. Tried, "
    )
    assert "usage events of Cursor, as its dashboard exports them: Date, Model, Input (w/ Cache Write), " in said
    assert "Codex" not in said  # never comes as CSV
    said = refused(write(lines({"at": 1})), "--preset", "auto")
    assert "session logs of Claude Code (~/.claude/projects/**/*.jsonl): type=assistant, message.usage" in said
    assert "Cursor" not in said


def test_a_file_that_could_be_several_formats_is_not_guessed(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    cursor = next(preset for preset in PRESETS if preset.name == "cursor")
    monkeypatch.setattr(recognition, "PRESETS", (*PRESETS, replace(cursor, name="other", about="another program")))
    with open_usage_file(write(CURSOR)) as file, pytest.raises(MappingError) as caught:
        recognize(file)
    assert str(caught.value) == (
        "it could be any of these formats: usage events of Cursor, as its dashboard exports them; another program"
    )


def test_files_of_two_formats_put_together_are_not_half_read(acme: Organization, write: Write) -> None:
    said = refused(write(lines(*CODEX, SESSION[2])), "--preset", "auto")
    assert said == (
        "FILE: line 9: expected session files of Codex CLI (~/.codex/sessions/**/rollout-*.jsonl), got session logs of "
        "Claude Code (~/.claude/projects/**/*.jsonl): import it by itself. Nothing of it was recorded."
    )


def test_what_is_mapped_and_set_adds_to_what_was_recognised_and_is_remembered(acme: Organization, write: Write) -> None:
    given = ("--preset", "auto", "--set", "project=shop", "--map", "subject_id=Max Mode", "--save-preset", "ours")
    import_usage(write(CURSOR), *given)
    assert set(UsageLog.objects.values_list("project", "subject_id")) == {("shop", "No")}
    again = import_usage(write(CURSOR), "--preset", "ours")[0]
    assert again.startswith("Recognised as cursor: ")
    assert "0 new, 7 already there" in again
