"""The dictionary: label schemas with names, values, colours and terminology codes to begin a project with."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from medssl.errors import UsageError
from medssl.labels import LabelSchema

# Inside an installed package, or where a checkout keeps its resources.
_FOLDERS = (Path(__file__).parent / "label_schemas", Path(__file__).parents[2] / "Resources" / "LabelSchemas")


class Template(BaseModel):
    """A label schema that many projects can begin with.

    Codes are those of SNOMED CT, as 3D Slicer's terminologies and DICOM's context groups use them.
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="Of the file, without its ending; what a person types.")
    title: str
    description: str
    label_schema: LabelSchema


def list_templates() -> tuple[Template, ...]:
    """Read all templates, sorted by name."""
    paths = next((sorted(folder.glob("*.json")) for folder in _FOLDERS if folder.is_dir()), [])
    return tuple(Template.model_validate_json(path.read_text(encoding="utf-8")) for path in paths)


def find_template(name: str) -> Template:
    """Read one template.

    Raises:
        UsageError: there is none of this name.
    """
    templates = {template.name: template for template in list_templates()}
    if name not in templates:
        raise UsageError(f"There is no template '{name}'.", f"Choose one of {', '.join(templates)}.")
    return templates[name]
