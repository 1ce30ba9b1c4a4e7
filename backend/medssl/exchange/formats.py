"""How models and data sets can be written for others."""

from __future__ import annotations

from typing import Literal, TypeAlias

ModelFormat: TypeAlias = Literal["zip", "monai", "onnx"]
DatasetFormat: TypeAlias = Literal["nnunet", "decathlon"]
