"""Whether a model is about what a project is about."""

from __future__ import annotations

from medssl.errors import ModelError
from medssl.labels import LabelSchema
from medssl.learning.model import Model


def check_segments(schema: LabelSchema, model: Model) -> None:
    """Refuse a model from elsewhere whose values mean other segments than the project's.

    Raises:
        ModelError: they do.
    """
    known = {value: name.casefold() for value, name in zip(schema.values, schema.names, strict=True)}
    found = model.plan.label_schema
    own = all(known.get(v) == n.casefold() for v, n in zip(found.values, found.names, strict=True))
    if model.card.imported_from is not None and not own:
        raise ModelError(
            f"The model {model.card.name} finds {', '.join(found.names)}: not this project's segments.",
            "Begin a training with it (medssl train --from), or give the project the same segments.",
        )
