"""The whole job on made-up or given scans, through the same jobs that every other way in starts."""

from medssl.demo.outcome import DemoOutcome
from medssl.demo.run import run_demo
from medssl.demo.settings import DemoSettings

__all__ = ["DemoOutcome", "DemoSettings", "run_demo"]
