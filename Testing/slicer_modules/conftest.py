"""What tests of the Slicer modules share: the stand-in for the application, a clean scene for each test."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from medssl.client import Client, EngineError, Project, attach, start_or_attach

if "torch" in sys.modules:
    raise pytest.UsageError(
        "Shiboken, which gives Qt its PythonQt style, trips over torch: run Testing/slicer_modules by "
        "itself, and the others with --ignore=../Testing/slicer_modules."
    )
ROOT = Path(__file__).parents[2]
for folder in (ROOT / "Testing", ROOT / "MedSSLSegment", ROOT / "MedSSLPretrain"):
    sys.path.insert(0, str(folder))

import slicer_runtime  # noqa: E402 - found through the line above
from slicer_runtime.property_style import use_properties  # noqa: E402 - found through the line above
from slicer_runtime.watchdog import Watchdog  # noqa: E402 - found through the line above

if TYPE_CHECKING:
    from learning import ActedEngine
    from panels import OpenPanel


def pytest_pycollect_makemodule(module_path: Path) -> None:
    """Tests see Qt objects as the modules do: properties are attributes."""
    if module_path.parent == Path(__file__).parent:
        slicer_runtime.start()
        use_properties("panels")
        use_properties("learning")
        use_properties("annotating")
        use_properties("reviewing")
        use_properties(module_path.stem)


@pytest.fixture(scope="session")
def application() -> slicer_runtime.Runtime:
    """The running stand-in."""
    return slicer_runtime.start()


@pytest.fixture
def runtime(application: slicer_runtime.Runtime) -> Iterator[slicer_runtime.Runtime]:
    """The running stand-in with an empty scene and no module open."""
    application.clear()
    yield application
    application.clear()
    strays, application.strays[:] = application.strays[:], []
    assert not strays, f"the scene was changed beside the main thread:\n{strays[0]}"


@pytest.fixture
def watchdog(application: slicer_runtime.Runtime) -> Iterator[Watchdog]:
    """The test fails if a turn of the event loop took over 100 ms, or a `with application.watching():`."""
    # What hundreds of tests left in this process is not the module's, nor is the time to look through it.
    gc.collect()
    gc.freeze()
    watchdog = Watchdog()
    application.set_watchdog(watchdog)
    yield watchdog
    application.set_watchdog(None)
    watchdog.end()
    gc.unfreeze()
    assert not watchdog.delays, "\n".join(str(delay) for delay in watchdog.delays)


@pytest.fixture
def wait_until(application: slicer_runtime.Runtime) -> Callable[..., None]:
    """Let Qt work until something holds: `wait_until(lambda: label.text == 'Ready')`."""

    def wait(holds: Callable[[], object], at_most_s: float = 20.0) -> None:
        end = time.monotonic() + at_most_s
        while not holds():
            if time.monotonic() > end:
                pytest.fail(f"What was waited for did not come within {at_most_s} s.")
            application.work()
            time.sleep(0.002)

    return wait


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A real engine in its own process, which panels find as the engine of their user."""
    base = tmp_path_factory.getbasetemp()
    before = dict(os.environ)
    os.environ["XDG_STATE_HOME"] = str(base / ".local" / "state")
    os.environ["MEDSSL_ENGINE_PYTHON"] = sys.executable
    os.environ["PYTHONPATH"] = str(ROOT / "backend")
    client = start_or_attach(
        arguments=["--root", str(base), "--idle-minutes", "3"], environment=dict(os.environ), start_s=100.0
    )
    yield client
    with suppress(EngineError):  # it ends by itself after some minutes in which no test used it
        client.shutdown(force=True)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def panel(
    runtime: slicer_runtime.Runtime, engine: Client, wait_until: Callable[..., None]
) -> Iterator[OpenPanel]:
    """The module MedSSL Segment, just opened, with nothing remembered and an engine that runs already."""
    import qt
    from panels import OpenPanel

    qt.QSettings().clear()
    library = {name: module for name, module in sys.modules.items() if _of_library(name)}
    opened = OpenPanel(runtime, "MedSSLSegment", wait_until)
    yield opened
    opened.close()
    # A test that reloaded the module must leave the library that the other tests imported.
    if any(sys.modules.get(name) is not module for name, module in library.items()):
        for name in [name for name in sys.modules if _of_library(name)]:
            del sys.modules[name]
        sys.modules.update(library)


@pytest.fixture
def alone(panel: OpenPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenPanel]:
    """A panel of a user with no engine running and none set up."""
    panel.ready()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("MEDSSL_ENGINE_PYTHON")
    monkeypatch.setattr("MedSSLLib.environments.clone_environment", lambda: tmp_path / "none")
    panel.reopen()
    yield panel
    running = attach()
    if running is not None:
        running.shutdown(force=True)


@pytest.fixture
def project(engine: Client, small_dataset: Path) -> Project:
    """A project of the small data set with a model of which only the card is there."""
    from learning import new_project, register_model

    project = new_project(engine, small_dataset)
    register_model(project, name="First")
    return project


@pytest.fixture
def remote(panel: OpenPanel, project: Project) -> OpenPanel:
    """The panel with the project open, taking its engine for one on another computer."""
    panel.ready()
    client = panel.session.client
    panel.session.set_client(client, shares_disk=False)
    panel.session.set_project(client.project(project.key))
    models = len(client.models(project.key))
    panel.wait_until(lambda: len(panel.session.models.models) == models)
    return panel


@pytest.fixture
def acted(panel: OpenPanel, project: Project, monkeypatch: pytest.MonkeyPatch) -> ActedEngine:
    """An engine that only acts as if it did the jobs of the project."""
    from learning import ActedEngine

    return ActedEngine(monkeypatch, project)


def _of_library(name: str) -> bool:
    return name.partition(".")[0] == "MedSSLLib"
