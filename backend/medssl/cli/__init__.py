"""The command line `medssl`. Every command is a thin way to a job or to the project folder."""

from medssl.cli.app import main

__all__ = ["main"]
