"""Presets by name: those of the site, and the mappings that an organization saved."""

import re
from dataclasses import replace

from aggregates.ingest.importing import recognition
from aggregates.ingest.importing.mappings import FieldMapping, MappingError
from aggregates.ingest.importing.presets import PRESETS, Preset
from aggregates.ingest.importing.recognition import AUTO
from aggregates.models import Organization, SavedPreset

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
OF_THE_SITE = {preset.name: preset.mapping for preset in PRESETS}


def start_from(organization: Organization, name: str | None) -> SavedPreset:
    """What a new mapping adds to, not saved itself: a preset by name, or nothing; raises MappingError."""
    if name is None:
        return SavedPreset(organization=organization, paths={}, values={})
    if name in OF_THE_SITE or name == AUTO:
        return SavedPreset(organization=organization, base=name, paths={}, values={})
    try:
        saved = SavedPreset.objects.get(organization=organization, name=name)
    except SavedPreset.DoesNotExist:
        raise MappingError(f"there is no preset “{name}”; there is: {_known(organization)}") from None
    if saved.base and saved.base not in (*OF_THE_SITE, AUTO):
        raise MappingError(f"the preset “{name}” was saved on top of “{saved.base}”, which is no longer there")
    saved.pk = None
    return saved


def _known(organization: Organization) -> str:
    saved = SavedPreset.objects.filter(organization=organization).order_by("name").values_list("name", flat=True)
    ours = f"; saved for {organization.slug}: {', '.join(saved)}" if saved else ""
    return f"{', '.join(sorted([*OF_THE_SITE, AUTO]))}{ours}"


def mapping_of(preset: SavedPreset, recognized: Preset | None = None) -> FieldMapping:
    """On top of what the file was recognised as, if the preset asks for that; raises MappingError."""
    if recognized:
        mapping = recognition.mapping_of(recognized)
    else:
        mapping = OF_THE_SITE[preset.base] if preset.base else FieldMapping()
    mapping = replace(mapping, labels=tuple(preset.organization.label_attributes))
    return mapping.overridden(preset.paths, preset.values, preset.start)


def with_more(preset: SavedPreset, more: FieldMapping) -> SavedPreset:
    """The preset, and these paths, values and start instead of its own for the same fields."""
    own = FieldMapping(paths=preset.paths, values=preset.values, start=preset.start)
    both = own.overridden(more.paths, more.values, more.start)
    preset.paths, preset.values, preset.start = dict(both.paths), dict(both.values), both.start
    return preset


def check_name(name: str) -> None:
    """Raises MappingError for a name that cannot be saved under."""
    if name in OF_THE_SITE or name == AUTO:
        raise MappingError(f"the preset “{name}” comes with the site; save yours under another name")
    if not NAME.fullmatch(name):
        raise MappingError("expected a name of at most 64 letters, digits, “.”, “_” and “-” to save the preset under")


def save(preset: SavedPreset, name: str) -> None:
    """Under this name, in place of one that was saved under it before; raises MappingError."""
    try:
        "".join(preset.paths.values()).encode()
    except UnicodeEncodeError:
        raise MappingError("expected paths in UTF-8 to save") from None
    SavedPreset.objects.update_or_create(
        organization=preset.organization,
        name=name,
        defaults={"base": preset.base, "paths": preset.paths, "values": preset.values, "start": preset.start},
    )
