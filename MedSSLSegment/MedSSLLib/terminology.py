"""What a segment is, in DICOM's codes: Slicer's one line of text, and the engine's mapping.

Slicer's line: context ~ category ~ type ~ modifier ~ context ~ region ~ modifier, and each code as
scheme ^ value ^ meaning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

TAG = "TerminologyEntry"
_CATEGORIES = "Segmentation category and type - DICOM master list"
_REGIONS = "Anatomic codes - DICOM master list"
_PARTS = ("category", "type", "type_modifier", "region", "region_modifier")
_PLACES = (1, 2, 3, 5, 6)  # of these parts in Slicer's line


def entry_of(terminology: Optional[Mapping[str, Any]]) -> str:
    """Write the engine's mapping as Slicer's line; '' when there is none."""
    if not terminology:
        return ""
    fields = [_CATEGORIES, "^^", "^^", "^^", _REGIONS if terminology.get("region") else "", "^^", "^^"]
    for part, place in zip(_PARTS, _PLACES):
        code = terminology.get(part)
        if code:
            # These signs separate the parts, and there is no way to write them inside one.
            texts = (re.sub(r"[\^~|\s]+", " ", str(code[name])) for name in ("scheme", "value", "meaning"))
            fields[place] = "^".join(texts)
    return "~".join(fields)


def terminology_of(entry: str) -> Optional[dict[str, dict[str, str]]]:
    """Read Slicer's line as the engine's mapping; None when it names no category and type."""
    fields = [*entry.split("~"), *[""] * 7][:7]
    found: dict[str, dict[str, str]] = {}
    for part, place in zip(_PARTS, _PLACES):
        scheme, value, meaning = (*fields[place].split("^"), "", "", "")[:3]
        if value:
            found[part] = {"value": value, "scheme": scheme, "meaning": meaning}
    return found if "category" in found and "type" in found else None


def label_of(terminology: Optional[Mapping[str, Any]]) -> str:
    """Say a code in a few words, such as 'Kidney, Left (SCT 64033007)'; '' when there is none."""
    if not terminology:
        return ""
    kind = terminology["type"]
    parts = [terminology.get(part) for part in ("type", "type_modifier", "region", "region_modifier")]
    words = ", ".join(str(part["meaning"]) for part in parts if part)
    return f"{words} ({kind['scheme']} {kind['value']})"
