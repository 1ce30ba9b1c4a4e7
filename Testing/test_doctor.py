"""The doctor names each failing point and what to do about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from bootstrap_lib.torch_build import choose_build
from medssl import doctor
from medssl.doctor import TorchState
from medssl.host import NvidiaGpu

GB = 1_000_000_000
CUDA = TorchState(version="2.13.0+cu130", cuda_build="13.0", cuda_works=True)


def _gpu(driver: str = "580.65.06", free: int = 20 * GB) -> NvidiaGpu:
    return NvidiaGpu("NVIDIA Test", driver, 24 * GB, free, (8, 9))


def test_this_computer_is_examined_and_every_point_that_is_not_ok_has_a_remedy(tmp_path: Path) -> None:
    examination = doctor.examine(tmp_path)
    names = [point.name for point in examination.points]
    assert names == ["Python", "torch", "GPU", "Memory", "Disk", "Path length", "Folder"]
    for point in examination.points:
        assert point.found and (point.grade == "ok") == (point.remedy == "")
    assert list(tmp_path.iterdir()) == []


def test_the_examination_survives_json(tmp_path: Path) -> None:
    examination = doctor.Examination(points=(doctor.judge_permission(tmp_path, ""),))
    assert doctor.Examination.model_validate_json(examination.model_dump_json()) == examination


def test_one_failed_point_fails_the_examination_and_a_warning_does_not(tmp_path: Path) -> None:
    warning = doctor.judge_gpu((), TorchState(version="2.13.0"))
    assert warning.grade == "warning" and doctor.Examination(points=(warning,)).passed
    failed = doctor.judge_permission(tmp_path, "Read-only file system")
    assert not doctor.Examination(points=(warning, failed)).passed


def test_a_gpu_that_torch_reaches_is_named_with_driver_and_memory() -> None:
    point = doctor.judge_gpu((_gpu(),), CUDA)
    assert point.grade == "ok" and point.found == "NVIDIA Test, driver 580.65.06, 20.0 of 24.0 GB free"


@pytest.mark.parametrize(
    ("gpu", "torch", "remedy"),
    [
        (_gpu(driver="470.1"), CUDA, "driver is too old"),
        (_gpu(), TorchState(version="2.13.0+cpu"), "--torch auto"),
        (_gpu(), TorchState(version="2.13.0+cu130", cuda_build="13.0"), "update the driver"),
        (_gpu(free=GB), CUDA, "end other programs"),
    ],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no NVIDIA GPUs")
def test_a_gpu_that_is_no_use_comes_with_the_reason(gpu: NvidiaGpu, torch: TorchState, remedy: str) -> None:
    assert remedy in doctor.judge_gpu((gpu,), torch).remedy


def test_nobody_is_sent_for_a_driver_to_a_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    remedy = doctor.judge_gpu((), TorchState(version="2.13.0")).remedy
    assert ("driver" in remedy, "medssl serve" in remedy) == (False, True)
    assert "on the processor" in choose_build(())[1]


def test_a_torch_that_cannot_be_loaded_is_failed_with_the_command_that_repairs_it() -> None:
    point = doctor.judge_torch(TorchState(problem="libcudart.so is missing"))
    assert point.grade == "failed" and "bootstrap.py install" in point.remedy


def test_disk_space_is_graded_by_what_training_writes(tmp_path: Path) -> None:
    grades = [doctor.judge_disk(tmp_path, free * GB).grade for free in (0, 5, 50)]
    assert grades == ["failed", "warning", "ok"]


def test_a_deep_folder_is_a_warning_only_where_paths_are_limited() -> None:
    deep = Path("/" + "x" * 200)
    assert doctor.judge_path_length(deep, None).grade == "ok"
    assert doctor.judge_path_length(deep, 259).grade == "warning"


def test_an_old_a_new_or_a_32_bit_python_is_failed() -> None:
    grades = [doctor.judge_python((3, minor), True).grade for minor in (9, 10, 14, 15)]
    assert grades == ["failed", "ok", "ok", "failed"]
    assert "32 bits" in doctor.judge_python((3, 12), False).found


def test_the_doctor_is_imported_without_torch() -> None:
    code = "import sys, medssl.doctor; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
