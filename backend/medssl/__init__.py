"""MedSSL: segmentation of medical volumes from one or two annotated scans.

Importing this package imports neither torch nor any other heavy library; each subpackage brings what it
needs. Start with `medssl.project.Project`, `medssl.jobs.run_job`, or the command line `medssl --help`.
"""

__version__ = "0.1.0"
