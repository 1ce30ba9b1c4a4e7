"""Segment scans with one or two annotated ones: annotate, train, review what the model proposes, apply it."""

from __future__ import annotations

from typing import Any, Optional

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

_DOCUMENTATION = "https://github.com/MedSSL/SlicerMedSSL"
_LONGEST_SAVE_S = 30.0  # that the end of Slicer waits for a drawing to be saved


class MedSSLSegment(ScriptedLoadableModule):
    """What Slicer knows of the module before it is opened; nothing else is imported for it."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = _("MedSSL Segment")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["SegmentEditor"]
        parent.contributors = ["MedSSL developers"]
        parent.helpText = _(
            "Segments your scans after you annotated one or two of them: trains a model on these and on the "
            "scans without annotation, lets you review its proposals, the most uncertain first, and applies "
            'it to folders of new scans. See the <a href="{address}">documentation</a>.'
        ).format(address=_DOCUMENTATION)
        parent.acknowledgementText = _(
            "Built on 3D Slicer, PyTorch and MONAI. The methods are those of the papers that the "
            "documentation names."
        )
        slicer.app.startupCompleted.connect(_register_sample_data)


def _register_sample_data() -> None:
    from MedSSLLib.sample_data import register

    register()


class MedSSLSegmentWidget(ScriptedLoadableModuleWidget):
    """The panel: a column of sections, each with a logic of its own."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic: Optional[MedSSLSegmentLogic] = None
        self.panel: Any = None
        self.session: Any = None

    def setup(self) -> None:
        """Build the panel; the engine is not touched before the module is entered."""
        ScriptedLoadableModuleWidget.setup(self)
        from MedSSLLib.next_step import next_step
        from MedSSLLib.sections import Panel
        from MedSSLLib.segment_sections import segment_sections
        from MedSSLLib.session import Session

        self.logic = MedSSLSegmentLogic()
        self.session = Session.current()
        self.panel = Panel(self.session, self.layout, segment_sections(), next_step)

    def enter(self) -> None:
        """The person comes to the module."""
        self.panel.enter()
        self.session.editor.enter()

    def exit(self) -> None:
        """The person goes to another module: shortcuts and questions to the engine rest until they return."""
        if self.panel is not None:  # else the module is being closed already
            self.session.editor.exit()
            self.panel.exit()

    def cleanup(self) -> None:
        """Slicer ends, or the module is reloaded."""
        if self.panel is not None:
            self.panel.close()
            self.session.wait_for_drawings(_LONGEST_SAVE_S)
            self.session.editor.close()
            self.panel = None

    def onReload(self) -> None:
        """Reload the module with its library, for those who change it."""
        from MedSSLLib.reloading import reload_modules

        reload_modules()


class MedSSLSegmentLogic(ScriptedLoadableModuleLogic):
    """What Python scripts in Slicer can call without the panel; every function waits for its answer."""

    def startEngine(self, python: Optional[str] = None) -> Any:
        """Return a `medssl.client.Client`; starts the engine that is set up when none runs.

        Args:
            python: another Python that has MedSSL installed.
        """
        from MedSSLLib import scripting

        return scripting.start_engine(python)

    def addCase(self, client: Any, project: Any, volumeNode: vtk.vtkObject, name: str = "") -> Any:
        """Copy a volume of the scene into a project as a case, with its transforms hardened in the copy."""
        from MedSSLLib import scripting

        return scripting.add_case(client, project, volumeNode, name)

    def loadCase(self, client: Any, project: Any, case: Any) -> tuple[vtk.vtkObject, vtk.vtkObject]:
        """Load the volume of a case and its newest annotation, or an empty segmentation, into the scene."""
        from MedSSLLib import scripting

        return scripting.load_case(client, project, case)

    def saveAnnotation(
        self, client: Any, project: Any, case: Any, segmentationNode: vtk.vtkObject, volumeNode: vtk.vtkObject
    ) -> Any:
        """Save a segmentation as the next version of a case's annotation."""
        from MedSSLLib import scripting

        return scripting.save_annotation(client, project, case, segmentationNode, volumeNode)


class MedSSLSegmentTest(ScriptedLoadableModuleTest):
    """A short look at the panel without an engine; Testing/slicer_selftest.py does the whole job."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run the tests of this class."""
        self.setUp()
        self.test_every_section_says_what_it_needs()

    def test_every_section_says_what_it_needs(self) -> None:
        """Without a project, the sections that need one say so in one sentence."""
        slicer.util.selectModule("MedSSLSegment")
        panel = slicer.modules.MedSSLSegmentWidget.panel
        for name, button in panel.buttons.items():
            hint = slicer.util.findChild(button, f"{name}HintLabel")
            self.assertTrue(hint.text or panel.views[name].widget.enabled, name)
        self.delayDisplay(_("Every section is usable or says what it needs."))
