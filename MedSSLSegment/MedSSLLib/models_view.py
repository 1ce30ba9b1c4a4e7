"""The section Models: what there is, what cards and scores say of it, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Optional, Protocol

from slicer.i18n import tr as _

from MedSSLLib import asking, table_rows
from MedSSLLib.learning_choices import method_title, title_of
from MedSSLLib.plurals import plural
from MedSSLLib.scoring_logic import ScoringLogic
from MedSSLLib.scoring_view import Scoring, ScoringView
from MedSSLLib.sections import load_ui
from MedSSLLib.signals import Signal

if TYPE_CHECKING:
    from medssl.client import Model, ModelFact

    from MedSSLLib.session import Session

_ROWS = 8
_FACTS = 14
_MB = 1_000_000
_EXACT_MB = 10  # below it one decimal is shown
_SAID = ("id", "name", "created")  # by the headings
_SUFFIXES = {"zip": ".zip", "monai": "", "onnx": ".onnx"}  # of exported models; a MONAI bundle is a folder


class Models(Protocol):
    """What the section needs; `MedSSLLib.models_logic.ModelsLogic` has it."""

    changed: Signal
    models: tuple[Model, ...]

    @property
    def size_bytes(self) -> int:
        """What all models take on the disk."""

    def model(self, model_id: str) -> Optional[Model]:
        """Return a model."""

    def compare(self, models: Sequence[str], done: Callable[[tuple[ModelFact, ...]], Any]) -> None:
        """Lay the cards of models side by side."""

    def delete(self, model_id: str) -> None:
        """Delete a model after asking."""

    def export(self, model_id: str, path: str, file_format: str) -> None:
        """Write a model for others."""

    def bring(self, path: str) -> None:
        """Bring a model into the project."""


def build(session: Session) -> ModelsView:
    """Make the section."""
    return ModelsView(session.models, ScoringLogic(session))


class ModelsView:
    """Shows the models and passes clicks on."""

    def __init__(self, logic: Models, scoring: Scoring) -> None:
        self._logic = logic
        self._compared: tuple[str, ...] = ()
        self.widget, self.ui = load_ui("Models")
        self.ui.factsTable.visible = False
        headings = [_("Model"), _("Method"), _("Dice"), _("MB")]
        table_rows.prepare(self.ui.modelsTable, headings, stretched=(0,), right=(2, 3))
        ui = self.ui
        self.scoring = ScoringView(ui, scoring, logic.model)
        ui.modelsTable.itemSelectionChanged.connect(self._select)
        ui.exportModelButton.clicked.connect(lambda *_: self._export())
        ui.importModelButton.clicked.connect(lambda *_: self._import())
        ui.deleteModelButton.clicked.connect(lambda *_: self._delete())
        logic.changed.connect(self._show)
        self._show()

    def enter(self) -> None:
        """The person comes to the module."""

    def exit(self) -> None:
        """The person goes to another module."""

    def close(self) -> None:
        """The module goes."""

    def _show(self) -> None:
        models = self._logic.models
        table_rows.show(self.ui.modelsTable, [_row(model) for model in models])
        table_rows.fit_height(self.ui.modelsTable, _ROWS)
        self.ui.modelsTable.visible = bool(models)
        size = _megabytes(self._logic.size_bytes)
        if not models:
            told = _("No models yet: train one, or import one that was exported elsewhere.")
        else:
            told = plural(
                len(models),
                _("One model, {size} MB on the disk."),
                _("{count} models, {size} MB on the disk."),
            ).format(count=len(models), size=size)
        self.ui.modelsLabel.text = told
        self._select()
        self.scoring.show()

    def _select(self) -> None:
        keys = table_rows.chosen_keys(self.ui.modelsTable)
        one = self._logic.model(keys[0]) if len(keys) == 1 else None
        self.ui.exportModelButton.enabled = one is not None and not one.problem
        self.ui.deleteModelButton.enabled = one is not None
        self.scoring.choose(one)
        self.ui.modelProblemLabel.text = "" if one is None else one.problem
        self.ui.modelProblemLabel.visible = one is not None and bool(one.problem)
        readable = tuple(key for key in keys if self._readable(key))
        if readable == self._compared:
            return
        self._compared = readable
        self.ui.factsTable.visible = False
        if readable:
            self._logic.compare(readable, lambda facts: self._show_facts(readable, facts))

    def _readable(self, key: str) -> bool:
        model = self._logic.model(key)
        return model is not None and not model.problem

    def _show_facts(self, models: tuple[str, ...], facts: tuple[ModelFact, ...]) -> None:
        """Show one line a fact and one column a model; where they differ, the line is marked."""
        if models != self._compared:
            return
        table, several = self.ui.factsTable, len(models) > 1
        found = [self._logic.model(each) for each in models]
        names = [title_of(each) for each in found if each is not None]
        # The name over the time: side by side, models of one method differ in nothing else.
        headings = ["\n".join(name.rsplit(", ", 1)) for name in names]
        table_rows.prepare(table, ["", *headings], stretched=range(1, len(models) + 1))
        rows = []
        for fact in facts:
            if fact.name in _SAID:
                continue
            mark = "≠ " if several and fact.differs else ""
            name = fact.name[:1].upper() + fact.name[1:].replace("edssl ", "edSSL ")
            name = name.replace("_mm", _(" in mm"))
            rows.append(table_rows.Row(fact.name, (mark + name, *fact.values), " / ".join(fact.values)))
        table_rows.show(table, rows)
        table_rows.fit_height(table, _FACTS)
        table.visible = True

    def _chosen(self) -> str:
        return next(iter(table_rows.chosen_keys(self.ui.modelsTable)), "")

    def _export(self) -> None:
        model = self._logic.model(self._chosen())
        if model is None:
            return
        formats = {"zip": _("MedSSL file (.zip)"), "monai": _("MONAI bundle"), "onnx": _("ONNX")}
        question = _("Write '{name}' as what?").format(name=model.name)
        file_format = asking.pick(_("Export model"), question, formats, while_testing="zip")
        if not file_format:
            return
        path = asking.new_file(_("Export model"), f"{model.name}{_SUFFIXES[file_format]}")
        if path:
            self._logic.export(model.id, path, file_format)

    def _import(self) -> None:
        path = asking.file(_("Import a model"), _("Models (*.zip *.onnx)"))
        if path:
            self._logic.bring(path)

    def _delete(self) -> None:
        if self._chosen():
            self._logic.delete(self._chosen())


def _row(model: Model) -> table_rows.Row:
    card = model.card
    dice = None if card is None else card.get("validation_dice")
    mean = f"{sum(dice.values()) / len(dice):.3f}" if dice else "–"
    method = method_title(model.method)
    kind = method if model.can_segment else _("{method} (pretrained)").format(method=method)
    tip = model.problem or model.id
    return table_rows.Row(
        model.id,
        (title_of(model), kind, mean if model.can_segment else "", _megabytes(model.size_bytes)),
        tip,
    )


def _megabytes(size_bytes: int) -> str:
    """A size as exactly as sizes beside it add up for the eye."""
    size = size_bytes / _MB
    return f"{size:.1f}" if size < _EXACT_MB else f"{size:.0f}"
