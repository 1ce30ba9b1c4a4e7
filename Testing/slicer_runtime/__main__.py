"""Runs a script as 3D Slicer would: `python Testing/slicer_runtime --python-script SCRIPT`.

It takes the options of Slicer that the script of the README needs, and `--dark` for a dark palette.
"""

from __future__ import annotations

import argparse
import runpy
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import slicer_runtime
from slicer_runtime.palettes import use_palette
from slicer_runtime.property_style import use_properties


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="slicer_runtime", description=__doc__)
    parser.add_argument("--additional-module-paths", nargs="*", type=Path, default=[])
    parser.add_argument("--python-script", type=Path, required=True)
    parser.add_argument("--testing", action="store_true")
    parser.add_argument("--no-splash", action="store_true")
    parser.add_argument("--dark", action="store_true")
    return parser.parse_args()


def main() -> int:
    """Load the modules, run the script in the event loop, and end as it says."""
    arguments = _arguments()
    runtime = slicer_runtime.start()
    runtime.set_testing(arguments.testing)
    use_palette(runtime.application, dark=arguments.dark)
    for folder in arguments.additional_module_paths:
        runtime.load_module(folder.resolve() / f"{folder.resolve().name}.py")
    runtime.window.show()
    script = arguments.python_script.resolve()
    use_properties(script.stem)

    def run() -> None:
        runtime.application.startupCompleted.emit()
        try:
            runpy.run_path(str(script), run_name=script.stem)
        except Exception:  # noqa: BLE001 - as in the application, which prints it and goes on
            runtime.application.exit(1)
            traceback.print_exc()

    runtime.after_start(run)
    code = runtime.application.exec()
    runtime.clear()
    return code


if __name__ == "__main__":
    sys.exit(main())
