"""Let an encoder learn what scans look like, without any annotation, for trainings to begin with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Optional

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

_DOCUMENTATION = "https://github.com/MedSSL/SlicerMedSSL"
_LIBRARY = "MedSSLLib"
_HERE = Path(__file__).resolve().parent  # now, while a path given to Slicer still means what it meant
_UI = _HERE / "Resources" / "UI"


class MedSSLPretrain(ScriptedLoadableModule):
    """What Slicer knows of the module before it is opened; nothing else is imported for it."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = _("MedSSL Pretrain")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        parent.contributors = ["MedSSL developers"]
        parent.helpText = _(
            "Lets an encoder learn what your scans look like, from scans that nobody annotated. A "
            "training in the module MedSSL Segment can begin with it. See the "
            '<a href="{address}">documentation</a>.'
        ).format(address=_DOCUMENTATION)
        parent.acknowledgementText = _(
            "Built on 3D Slicer, PyTorch and MONAI. The methods are those of the papers that the "
            "documentation names."
        )


class MedSSLPretrainWidget(ScriptedLoadableModuleWidget):
    """The panel: the engine, the project, and the pretraining."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic: Optional[MedSSLPretrainLogic] = None
        self.panel: Any = None
        self.session: Any = None

    def setup(self) -> None:
        """Build the panel; the engine is not touched before the module is entered."""
        ScriptedLoadableModuleWidget.setup(self)
        _find_library()
        from MedSSLLib import pretrain_view
        from MedSSLLib.sections import Panel, Section, needs_nothing
        from MedSSLLib.segment_sections import engine_section
        from MedSSLLib.session import Session

        self.logic = MedSSLPretrainLogic()
        self.session = Session.current()
        section = Section(
            "pretrain",
            _("Pretrain"),
            lambda session: pretrain_view.build(session, _UI),
            needs_nothing,
            collapsed=False,
        )
        self.panel = Panel(self.session, self.layout, (engine_section(), section))

    def enter(self) -> None:
        """The person comes to the module."""
        self.panel.enter()

    def exit(self) -> None:
        """The person goes to another module; a pretraining goes on."""
        if self.panel is not None:  # else the module is being closed already
            self.panel.exit()

    def cleanup(self) -> None:
        """Slicer ends, or the module is reloaded."""
        if self.panel is not None:
            self.panel.close()
            self.panel = None

    def onReload(self) -> None:
        """Reload the module with its library, for those who change it."""
        from MedSSLLib.reloading import reload_modules

        reload_modules()


class MedSSLPretrainLogic(ScriptedLoadableModuleLogic):
    """What Python scripts in Slicer can call without the panel."""

    def pretrain(
        self, task: str = "pgl", effort: str = "balanced", scans: Optional[str] = None, device: str = "auto"
    ) -> None:
        """Start a pretraining in the open project; it shows in the panel, and goes on by itself.

        Args:
            task: name of a pretext task, such as 'pgl' or 'jigsaw'.
            effort: 'quick', 'balanced' or 'thorough'.
            scans: a folder of scans; the project's own cases when left out.
            device: 'auto', 'cpu' or 'cuda'.
        """
        _find_library()
        from MedSSLLib.session import Session

        session = Session.current()

        def start(options: Any) -> None:
            settings = next(each.pretrain for each in options.efforts if each.name == effort)
            request = {
                "kind": "pretrain",
                "settings": {**settings, "method": task, "device": device},
                "scans": scans,
            }
            session.jobs.submit(request)

        session.ask(lambda client: client.options(), start)


class MedSSLPretrainTest(ScriptedLoadableModuleTest):
    """What can be tested without an engine; Testing/slicer_modules has the rest."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run all tests of this class."""
        self.setUp()
        self.test_the_panel_opens_without_an_engine()

    def test_the_panel_opens_without_an_engine(self) -> None:
        """The panel says what is missing instead of failing."""
        slicer.util.selectModule("MedSSLPretrain")
        widget = slicer.modules.MedSSLPretrainWidget
        self.assertIn("pretrain", widget.panel.views)
        self.delayDisplay("The panel is open.")


def _find_library() -> None:
    """Find what both modules share: beside this file, or in the other module's folder of a clone."""
    for folder in (_HERE, _HERE.parent / "MedSSLSegment"):
        if (folder / _LIBRARY).is_dir() and str(folder) not in sys.path:
            sys.path.append(str(folder))
