"""The stand-in behaves as 3D Slicer does where the modules rely on it."""

from __future__ import annotations

from pathlib import Path

import pytest
import qt
import slicer

UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0">
 <class>Form</class>
 <widget class="qMRMLWidget" name="Form">
  <layout class="QVBoxLayout" name="column">
   <item>
    <widget class="ctkCollapsibleButton" name="section">
     <property name="text"><string>Section</string></property>
     <property name="collapsed"><bool>true</bool></property>
     <layout class="QFormLayout" name="form">
      <item row="0" column="1">
       <widget class="qMRMLNodeComboBox" name="volumes">
        <property name="nodeTypes">
         <stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist>
        </property>
        <property name="noneEnabled"><bool>true</bool></property>
       </widget>
      </item>
     </layout>
    </widget>
   </item>
   <item>
    <widget class="ctkPathLineEdit" name="folder">
     <property name="filters"><set>ctkPathLineEdit::Dirs|ctkPathLineEdit::Drives</set></property>
    </widget>
   </item>
   <item>
    <widget class="QPushButton" name="start"><property name="text"><string>Start</string></property></widget>
   </item>
  </layout>
 </widget>
 <connections>
  <connection>
   <sender>Form</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
   <receiver>volumes</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot>
  </connection>
 </connections>
</ui>
"""


@pytest.fixture
def form(runtime: object, tmp_path: Path) -> object:
    (tmp_path / "Form.ui").write_text(UI, encoding="utf-8")
    widget = slicer.util.loadUI(str(tmp_path / "Form.ui"))
    widget.setMRMLScene(slicer.mrmlScene)
    children = slicer.util.childWidgetVariables(widget)
    children.form_widget = widget  # or Qt deletes it with its children
    return children


def test_a_form_has_the_properties_and_connections_of_its_file(form: object) -> None:
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Scan")
    assert (form.start.text, form.section.collapsed, form.volumes.nodeCount()) == ("Start", True, 1)
    assert form.folder.filters == qt.QDir.Dirs | qt.QDir.Drives
    form.volumes.setCurrentNode(volume)
    assert form.volumes.currentNodeID == volume.GetID()
    slicer.mrmlScene.RemoveNode(volume)
    assert form.volumes.currentNode() is None


def test_a_click_calls_what_is_connected(form: object) -> None:
    clicks = []
    form.start.clicked.connect(lambda *_: clicks.append(form.start.text))
    form.start.click()
    assert clicks == ["Start"]


def test_a_folded_section_hides_what_it_holds(form: object) -> None:
    form.form_widget.show()
    assert not form.volumes.visible
    form.section.collapsed = False
    assert form.volumes.visible
    form.section.click()
    assert form.section.collapsed
    form.form_widget.hide()


def test_timers_run_and_end(runtime: object, wait_until: object) -> None:
    ticks = []
    timer = qt.QTimer()
    timer.setInterval(1)
    timer.timeout.connect(lambda: ticks.append(timer.active))
    timer.start()
    wait_until(lambda: len(ticks) >= 2)
    timer.stop()
    assert ticks[0] is True
    assert timer.active is False


def test_no_dialog_waits_for_a_click(runtime: object) -> None:
    assert slicer.app.testingEnabled()
    slicer.util.confirmOkCancelDisplay("Sure?")
    slicer.util.errorDisplay("Nothing is wrong.")


def test_widgets_made_in_python_are_drawn_though_some_of_their_functions_are_hidden(runtime: object) -> None:
    table = qt.QTableWidget()
    table.setRowCount(2)
    table.setColumnCount(2)
    table.show()
    for _ in range(5):
        slicer.app.processEvents()
    assert table.visible
    table.hide()


def test_a_child_that_is_hidden_while_its_section_is_folded_stays_hidden(
    form: object,
) -> None:
    import ctk

    section = ctk.ctkCollapsibleButton()
    column = qt.QVBoxLayout(section)
    hint, contents = qt.QLabel("Open a project first."), qt.QLabel("contents")
    column.addWidget(hint)
    column.addWidget(contents)
    contents.visible = False
    section.show()
    section.collapsed = True
    hint.visible = False
    contents.visible = True
    assert (hint.visible, contents.visible) == (False, False)
    section.collapsed = False
    assert (hint.visible, contents.visible) == (False, True)
    section.hide()


def test_a_panel_that_is_reloaded_is_set_up_but_not_entered(runtime: object, tmp_path: Path) -> None:
    (tmp_path / "Reloaded.py").write_text(
        "from slicer.ScriptedLoadableModule import *\n"
        "class Reloaded(ScriptedLoadableModule): pass\n"
        "class ReloadedWidget(ScriptedLoadableModuleWidget):\n"
        "    def __init__(self, parent=None):\n"
        "        super().__init__(parent)\n"
        "        self.told = []\n"
        "    def setup(self): self.told.append('setup')\n"
        "    def enter(self): self.told.append('enter')\n",
        encoding="utf-8",
    )
    runtime.load_module(tmp_path / "Reloaded.py")
    slicer.util.selectModule("Reloaded")
    assert slicer.modules.ReloadedWidget.told == ["setup", "enter"]
    slicer.modules.ReloadedWidget.onReload()
    assert slicer.modules.ReloadedWidget.told == ["setup"]
    slicer.util.selectModule("")
    runtime.modules.unload("Reloaded")
