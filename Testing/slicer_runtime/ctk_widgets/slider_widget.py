"""Stands in for ctkSliderWidget: a slider and a spin box of decimal numbers, joined."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

_STEPS = 10_000


class SliderWidget(QtWidgets.QWidget):
    """The slider shows the value within its range; the spin box shows it in digits."""

    valueChanged = QtCore.Signal(float)
    valueIsChanging = QtCore.Signal(float)
    decimalsChanged = QtCore.Signal(int)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal, self)
        self._slider.setRange(0, _STEPS)
        self._spin = QtWidgets.QDoubleSpinBox(self)
        self._spin.setRange(0.0, 99.0)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider)
        row.addWidget(self._spin)
        self._slider.valueChanged.connect(self._on_slider)
        self._spin.valueChanged.connect(self._on_spin)

    def _on_slider(self, position: int) -> None:
        low, high = self._spin.minimum(), self._spin.maximum()
        self._spin.setValue(low + position / _STEPS * (high - low))

    def _on_spin(self, value: float) -> None:
        self._show_on_slider()
        self.valueIsChanging.emit(value)
        self.valueChanged.emit(value)

    def _show_on_slider(self) -> None:
        low, high = self._spin.minimum(), self._spin.maximum()
        self._slider.blockSignals(True)
        self._slider.setValue(round((self._spin.value() - low) / (high - low) * _STEPS) if high > low else 0)
        self._slider.blockSignals(False)

    def _get_value(self) -> float:
        return self._spin.value()

    def setValue(self, value: float) -> None:
        self._spin.setValue(value)

    value = QtCore.Property(float, _get_value, setValue)

    def _get_minimum(self) -> float:
        return self._spin.minimum()

    def _set_minimum(self, value: float) -> None:
        self._spin.setMinimum(value)
        self._show_on_slider()

    minimum = QtCore.Property(float, _get_minimum, _set_minimum)

    def _get_maximum(self) -> float:
        return self._spin.maximum()

    def _set_maximum(self, value: float) -> None:
        self._spin.setMaximum(value)
        self._show_on_slider()

    maximum = QtCore.Property(float, _get_maximum, _set_maximum)

    def _get_step(self) -> float:
        return self._spin.singleStep()

    def _set_step(self, value: float) -> None:
        self._spin.setSingleStep(value)

    singleStep = QtCore.Property(float, _get_step, _set_step)

    def _get_page_step(self) -> float:
        return self._slider.pageStep() / _STEPS * (self._spin.maximum() - self._spin.minimum())

    def _set_page_step(self, _value: float) -> None:
        """The slider keeps its own."""

    pageStep = QtCore.Property(float, _get_page_step, _set_page_step)

    def _get_decimals(self) -> int:
        return self._spin.decimals()

    def setDecimals(self, decimals: int) -> None:
        self._spin.setDecimals(decimals)
        self.decimalsChanged.emit(decimals)

    decimals = QtCore.Property(int, _get_decimals, setDecimals)

    def _get_suffix(self) -> str:
        return self._spin.suffix()

    def _set_suffix(self, suffix: str) -> None:
        self._spin.setSuffix(suffix)

    suffix = QtCore.Property(str, _get_suffix, _set_suffix)

    def _get_prefix(self) -> str:
        return self._spin.prefix()

    def _set_prefix(self, prefix: str) -> None:
        self._spin.setPrefix(prefix)

    prefix = QtCore.Property(str, _get_prefix, _set_prefix)

    def _get_tracking(self) -> bool:
        return self._slider.hasTracking()

    def _set_tracking(self, tracking: bool) -> None:
        self._slider.setTracking(tracking)

    tracking = QtCore.Property(bool, _get_tracking, _set_tracking)

    def _get_spin_shown(self) -> bool:
        return not self._spin.isHidden()

    def setSpinBoxVisible(self, shown: bool) -> None:
        self._spin.setVisible(shown)

    spinBoxVisible = QtCore.Property(bool, _get_spin_shown, setSpinBoxVisible)

    def reset(self) -> None:
        """Back to the least value."""
        self._spin.setValue(self._spin.minimum())
