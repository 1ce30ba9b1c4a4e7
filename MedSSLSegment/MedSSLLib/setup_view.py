"""The dialog 'Set up...': four places to compute, and what an installation prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Optional, Protocol

import qt
import slicer
from slicer.i18n import tr as _

from MedSSLLib.engine_choice import ENVIRONMENT, PYTHON, REMOTE, SLICER
from MedSSLLib.problems import Problem
from MedSSLLib.pythons import FoundPython, no_python
from MedSSLLib.sections import load_ui
from MedSSLLib.signals import Signal


class Setup(Protocol):
    """What the dialog needs; `MedSSLLib.setup_logic.SetupLogic` has it."""

    found: Signal
    pythons: Optional[tuple[FoundPython, ...]]
    line: Signal
    changed: Signal
    doing: str
    outcome: tuple[str, str]

    @property
    def folder(self) -> Path:
        """Where the environment is, or will be."""

    @property
    def kind(self) -> str:
        """The kind of engine that was chosen last."""

    @property
    def python(self) -> str:
        """The other Python that was chosen last."""

    @property
    def address(self) -> str:
        """The address that was chosen last."""

    @property
    def certificate(self) -> str:
        """The certificate that was chosen last."""

    def is_installed(self, folder: Path) -> bool:
        """Whether there is a finished environment in a folder."""

    def may_remove(self, folder: Path) -> bool:
        """Whether a folder holds an environment that was made here."""

    def has_agreed(self, address: str) -> bool:
        """Whether the person agreed before that scans go to this address."""

    def split_address(self, text: str) -> tuple[str, str]:
        """Part an address from the token in it."""

    def token(self, address: str) -> str:
        """The token for an address."""

    def why_not_slicer(self) -> str:
        """Why Slicer's own Python cannot run the engine."""

    def look_for_pythons(self) -> None:
        """Find the Pythons of this computer."""

    def install(self, python: Path, folder: Path) -> None:
        """Make the environment, and use it."""

    def use_environment(self, folder: Path) -> None:
        """Use an environment that is there."""

    def remove(self, python: Path, folder: Path) -> None:
        """Delete the environment."""

    def check(self, python: Optional[Path], folder: Path) -> None:
        """Say whether this computer is fit."""

    def cancel(self) -> None:
        """Stop what is done."""

    def use_slicers_python(self) -> None:
        """Install into Slicer's own Python and use it."""

    def use_python(self, python: Path) -> None:
        """Use another Python."""

    def use_remote(self, address: str, token: str, certificate: str, agreed: bool) -> None:
        """Use an engine on another computer."""


class SetupView:
    """The dialog; nothing waits for it, so that Slicer stays usable during an installation.

    Attributes:
        changed: `busy` is another, perhaps.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self.changed = setup.changed
        self.dialog, self.ui = load_ui("Setup")
        self.dialog.setParent(slicer.util.mainWindow(), qt.Qt.Dialog)
        ui = self.ui
        self._places = (
            (ENVIRONMENT, ui.environmentButton, ui.environmentFrame),
            (SLICER, ui.slicerButton, ui.slicerFrame),
            (PYTHON, ui.otherButton, ui.otherFrame),
            (REMOTE, ui.remoteButton, ui.remoteFrame),
        )
        for kind, button, _frame in self._places:
            button.checked = kind == setup.kind
            button.toggled.connect(lambda *_: self._show())
        ui.folderEdit.currentPath = str(setup.folder)
        ui.otherEdit.currentPath = setup.python
        ui.certificateEdit.currentPath = setup.certificate
        ui.addressEdit.textChanged.connect(lambda *_: self._show_address())
        ui.addressEdit.editingFinished.connect(lambda *_: self._move_token())
        ui.addressEdit.text = setup.address
        ui.folderEdit.currentPathChanged.connect(lambda *_: self._show())
        ui.installButton.clicked.connect(lambda *_: self._install())
        ui.removeButton.clicked.connect(lambda *_: self._with_python(setup.remove))
        ui.useSlicerButton.clicked.connect(lambda *_: self._try(setup.use_slicers_python))
        ui.useOtherButton.clicked.connect(lambda *_: setup.use_python(Path(ui.otherEdit.currentPath)))
        ui.useRemoteButton.clicked.connect(lambda *_: self._try(self._use_remote))
        ui.checkComputerButton.clicked.connect(lambda *_: self.check())
        ui.stopButton.clicked.connect(lambda *_: setup.cancel())
        ui.closeButton.clicked.connect(lambda *_: self.dialog.hide())
        setup.found.connect(self._show_pythons)
        setup.line.connect(ui.logEdit.appendPlainText)
        setup.changed.connect(self._show)
        self._problem = ""
        self._wants_check = False
        self._show_address()
        self._show()

    @property
    def busy(self) -> bool:
        """Whether something is installed, removed or checked."""
        return bool(self._setup.doing)

    def show(self) -> None:
        """Open the dialog."""
        if self._setup.pythons is None:
            self._setup.look_for_pythons()
        self.dialog.show()
        self.dialog.raise_()

    def close(self) -> None:
        """The module goes."""
        self.dialog.hide()
        self.dialog.deleteLater()

    def check(self) -> None:
        """Check the computer, as soon as it is known which Python can look at it."""
        if self._setup.pythons is None:
            self._wants_check = True
        elif not self.busy:
            self.ui.logEdit.clear()
            self._setup.check(self._python, self._folder)

    @property
    def _folder(self) -> Path:
        return Path(self.ui.folderEdit.currentPath).expanduser()

    @property
    def _python(self) -> Optional[Path]:
        pythons = self._setup.pythons or ()
        index = self.ui.pythonCombo.currentIndex
        return pythons[index].path if 0 <= index < len(pythons) else None

    def _install(self) -> None:
        if self._setup.is_installed(self._folder):
            self._setup.use_environment(self._folder)
        else:
            self._with_python(self._setup.install)

    def _with_python(self, do: Callable[[Path, Path], None]) -> None:
        python = self._python
        if python is not None:
            self.ui.logEdit.clear()
            self._try(lambda: do(python, self._folder))

    def _use_remote(self) -> None:
        self._move_token()
        ui = self.ui
        self._setup.use_remote(
            ui.addressEdit.text, ui.tokenEdit.text, ui.certificateEdit.currentPath, ui.agreeBox.checked
        )

    def _try(self, do: Callable[[], None]) -> None:
        self._problem = ""
        try:
            do()
        except Problem as problem:
            self._problem = str(problem)
            self._show()

    def _show_pythons(self) -> None:
        pythons = self._setup.pythons or ()
        self.ui.pythonCombo.clear()
        for each in pythons:
            self.ui.pythonCombo.addItem(each.title)
        self._show()
        if self._wants_check:
            self._wants_check = False
            self.check()

    def _show_address(self) -> None:
        address, token = self._address_and_token()
        self.ui.agreeBox.checked = self._setup.has_agreed(address)
        self.ui.tokenEdit.text = token or self._setup.token(address)

    def _move_token(self) -> None:
        """Take a token out of the address, as `medssl serve` prints it, to where nobody reads it."""
        address, token = self._address_and_token()
        if token:
            agreed = self.ui.agreeBox.checked
            self.ui.addressEdit.text = address
            self.ui.tokenEdit.text = token
            self.ui.agreeBox.checked = agreed  # to the same address

    def _address_and_token(self) -> tuple[str, str]:
        text = self.ui.addressEdit.text
        try:
            return self._setup.split_address(text)
        except Problem:  # it is still being typed
            return text.strip(), ""

    def _show(self) -> None:
        ui, setup = self.ui, self._setup
        busy = self.busy
        for _kind, button, frame in self._places:
            frame.visible = button.checked
            frame.enabled = not busy
            button.enabled = not busy
        installed = setup.is_installed(self._folder)
        has_python = bool(setup.pythons)
        ui.installButton.text = _("Use") if installed else _("Install")
        ui.installButton.enabled = installed or has_python
        ui.removeButton.enabled = has_python and setup.may_remove(self._folder)
        ui.environmentLabel.text = self._environment_text(installed)
        why_not = setup.why_not_slicer()
        ui.slicerLabel.text = why_not or _(
            "Packages are added to those of Slicer, which other extensions share; a conflict between them is "
            "possible. Slicer does not answer while they are installed."
        )
        ui.useSlicerButton.enabled = not why_not
        ui.progressBar.visible = busy
        ui.stopButton.visible = busy
        ui.checkComputerButton.enabled = not busy
        text = setup.doing or self._problem or setup.outcome[1]
        ui.outcomeLabel.text = text
        ui.outcomeLabel.visible = bool(text)
        ui.logEdit.visible = busy or bool(ui.logEdit.plainText)
        qt.QTimer.singleShot(0, self._make_room)  # once the layout knows of the new texts

    def _make_room(self) -> None:
        """Let the window grow with what it shows, so that no text is cut; it never shrinks by itself."""
        layout, width = self.dialog.layout(), self.dialog.width
        needed = max(self.dialog.sizeHint.height(), layout.heightForWidth(width))
        if self.dialog.visible and self.dialog.height < needed:
            self.dialog.resize(width, needed)

    def _environment_text(self, installed: bool) -> str:
        if installed:
            return _("It is installed here.")
        if self._setup.pythons is None:
            return _("Looking for a Python...")
        if not self._setup.pythons:
            return str(no_python())
        return _("About 4 GB are downloaded and unpacked, 12 GB with an NVIDIA GPU; Slicer is not changed.")
