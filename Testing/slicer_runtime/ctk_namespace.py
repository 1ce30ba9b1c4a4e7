"""The module `ctk`, with the widgets of CTK that the modules use."""

from __future__ import annotations

from types import ModuleType

from slicer_runtime.ctk_widgets.collapsible_button import CollapsibleButton
from slicer_runtime.ctk_widgets.collapsible_group_box import CollapsibleGroupBox
from slicer_runtime.ctk_widgets.combo_boxes import CheckableComboBox, ComboBox
from slicer_runtime.ctk_widgets.directory_button import DirectoryButton
from slicer_runtime.ctk_widgets.path_line_edit import PathLineEdit
from slicer_runtime.ctk_widgets.slider_widget import SliderWidget
from slicer_runtime.ctk_widgets.small_widgets import (
    ColorPickerButton,
    FittedTextBrowser,
    MenuButton,
    MessageBox,
    SearchBox,
)

CTK_WIDGETS = {
    "ctkCheckableComboBox": CheckableComboBox,
    "ctkCollapsibleButton": CollapsibleButton,
    "ctkCollapsibleGroupBox": CollapsibleGroupBox,
    "ctkColorPickerButton": ColorPickerButton,
    "ctkComboBox": ComboBox,
    "ctkDirectoryButton": DirectoryButton,
    "ctkFittedTextBrowser": FittedTextBrowser,
    "ctkMenuButton": MenuButton,
    "ctkMessageBox": MessageBox,
    "ctkPathLineEdit": PathLineEdit,
    "ctkSearchBox": SearchBox,
    "ctkSliderWidget": SliderWidget,
}


def make_ctk() -> ModuleType:
    """The module that `import ctk` brings."""
    module = ModuleType("ctk", __doc__)
    for name, widget in CTK_WIDGETS.items():
        setattr(module, name, widget)
    return module
