"""What the bootstrap chooses and says, for computers that are not this one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from bootstrap_lib import points, problems, process, stamp, torch_build
from bootstrap_lib.main import main
from medssl.host import NvidiaGpu, parse_nvidia_gpus

BACKEND = Path(__file__).parents[2] / "backend"


def _gpu(driver: str, capability: tuple[int, int]) -> NvidiaGpu:
    return NvidiaGpu("NVIDIA Test", driver, 24 << 30, 20 << 30, capability)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has one build")
@pytest.mark.parametrize(
    ("driver", "capability", "build"),
    [
        ("580.65.06", (8, 9), "cu130"),
        ("595.10", (12, 0), "cu130"),
        ("560.94", (8, 6), "cu126"),
        ("570.12", (12, 0), "cu129"),  # Blackwell, which CUDA 12.6 does not know
        ("580.65.06", (6, 1), "cu126"),  # Pascal, which CUDA 13 no longer knows
        ("470.256", (7, 5), "cpu"),
    ],
)
def test_the_gpu_and_its_driver_choose_the_build(
    driver: str, capability: tuple[int, int], build: str
) -> None:
    chosen, reason = torch_build.choose_build([_gpu(driver, capability)])
    assert chosen == build
    assert driver in reason


def test_a_driver_that_is_too_old_is_said_with_what_to_do() -> None:
    if sys.platform != "darwin":
        assert "nvidia.com/drivers" in torch_build.choose_build([_gpu("470.256", (7, 5))])[1]


def test_without_a_gpu_torch_is_for_the_cpu() -> None:
    assert torch_build.choose_build([])[0] == "cpu"


def test_on_linux_the_cpu_build_is_asked_for_by_name_and_the_large_one_is_the_last_resort() -> None:
    tries = torch_build.attempts("cpu", "2.13.0", "linux")
    assert [(t.requirement, t.index is None) for t in tries] == [
        ("torch==2.13.0+cpu", True),
        ("torch==2.13.0+cpu", False),
        ("torch==2.13.0", True),
    ]


def test_a_cuda_build_is_never_replaced_by_another_one() -> None:
    for system in ("linux", "win32"):
        assert {t.requirement for t in torch_build.attempts("cu126", "2.13.0", system)} == {
            "torch==2.13.0+cu126"
        }
    with pytest.raises(problems.SetupError, match="macOS"):
        torch_build.attempts("cu126", "2.13.0", "darwin")


def test_the_drivers_table_is_read_and_odd_lines_are_left_out() -> None:
    text = "NVIDIA RTX A5000, 580.65.06, 24564, 23000, 8.6\nOld GPU, 390.1, [N/A], [N/A], [N/A]\n\n"
    (gpu,) = parse_nvidia_gpus(text)
    assert gpu == NvidiaGpu("NVIDIA RTX A5000", "580.65.06", 24564 << 20, 23000 << 20, (8, 6))
    assert gpu.driver_branch == 580


@pytest.mark.skipif(sys.platform != "linux", reason="only computers with Linux share their memory so")
def test_a_gpu_that_shares_the_main_memory_is_a_gpu() -> None:
    (gpu,) = parse_nvidia_gpus("NVIDIA GB10, 580.95.05, [N/A], [N/A], 12.1\n")
    assert gpu.memory_total_bytes == psutil.virtual_memory().total
    assert 0 < gpu.memory_free_bytes < gpu.memory_total_bytes
    assert torch_build.choose_build([gpu])[0] == "cu130"


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full", "Free some"),
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken\n"
            "ERROR: No matching distribution found for numpy==2.4.6",
            "could not be reached",
            "internet",
        ),
        ("ssl.SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED", "certificate", "global.cert"),
        ("error: command 'gcc' failed: No such file or directory", "no compiler", "build-essential"),
        ("error: Microsoft Visual C++ 14.0 or greater is required.", "no compiler", "Build Tools"),
        ("ERROR: No matching distribution found for edt==3.1.2", "no build of edt==3.1.2", "another Python"),
        ("PermissionError: [Errno 13] Permission denied: 'x'", "may not be written", "--env DIR"),
        ("HINT: Windows Long Path support is not enabled", "too long", "short folder"),
        ("ERROR: the dog ate it", "the dog ate it", "again"),
    ],
)
def test_what_pip_says_becomes_a_sentence_with_a_remedy(text: str, what: str, remedy: str) -> None:
    found = problems.explain(text, Path("install.log"))
    assert what in found.what and remedy in found.remedy and "install.log" in found.remedy


def test_slicers_python_and_libraries_are_kept_from_the_engine_and_others_are_left() -> None:
    slicer, cluster = os.path.normpath("/opt/Slicer"), os.path.normpath("/opt/cluster/lib")
    cleaned = process.clean_environment(
        {
            "SLICER_HOME": slicer,
            "PYTHONHOME": f"{slicer}/lib/Python",
            "PYTHONPATH": "x",
            "PIP_USER": "1",
            "LD_LIBRARY_PATH": os.pathsep.join([f"{slicer}/lib", cluster]),
            "DYLD_LIBRARY_PATH": f"{slicer}/lib",
            "HOME": "/home/me",
        }
    )
    assert cleaned == {"SLICER_HOME": slicer, "LD_LIBRARY_PATH": cluster, "HOME": "/home/me"}


def test_a_disk_that_is_too_small_is_said_with_what_to_do(tmp_path: Path) -> None:
    failing = [point for point in points.look(tmp_path / "env", 10**18, False) if point.remedy]
    assert [point.name for point in failing] == ["Disk"]
    assert "--env DIR" in failing[0].remedy


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    failing = [point.name for point in points.look(tmp_path / "file" / "env", 0, False) if point.remedy]
    assert failing == ["Folder"]


@pytest.mark.skipif(os.name == "nt", reason="Windows ends the program only")
def test_an_interrupted_installation_ends_what_its_programs_have_started(tmp_path: Path) -> None:
    inner = "import time; print('begun', flush=True); time.sleep(60)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}, {str(tmp_path)!r}])"

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    with (tmp_path / "lock").open("w") as lock, pytest.raises(KeyboardInterrupt):
        process.run_logged([sys.executable, "-c", outer], tmp_path / "log.txt", interrupt, lock.fileno())

    def left() -> list[psutil.Process]:
        return [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in (p.info["cmdline"] or [])]

    deadline = time.monotonic() + 10
    while left() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left() == []


def test_a_stamp_that_cannot_be_read_counts_as_unfinished(tmp_path: Path) -> None:
    assert stamp.read_stamp(tmp_path) is None
    (tmp_path / stamp.STAMP).write_text("{ half")
    found = stamp.read_stamp(tmp_path)
    assert found is not None and found.state == "unfinished"


@pytest.mark.parametrize(
    ("version", "lacks"), [("3.6", ""), ("2.7", "import shutil; del shutil.which;")], ids=["3.6", "2.7"]
)
def test_an_old_python_is_told_which_one_to_use(version: str, lacks: str) -> None:
    """The first lines must run in every Python since 2.7; here old ones are played."""
    code = (
        f"import sys, runpy; {lacks} sys.version_info = ({version.replace('.', ', ')}, 0);"
        "sys.argv = ['bootstrap.py', 'demo'];"
        f"runpy.run_path({str(BACKEND / 'bootstrap.py')!r}, run_name='__main__')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert f"This is Python {version}; MedSSL needs Python 3.10 to 3.14." in result.stderr


def test_a_python_that_the_tests_have_no_packages_for_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 14, 0, "final", 0))
    assert main(["test", "--env", str(tmp_path / "env")]) == 1
    assert "The tests need a Python before 3.14" in capsys.readouterr().err
    assert not (tmp_path / "env").exists()
