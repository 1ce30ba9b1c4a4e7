"""The engine as a service: one HTTP API for 3D Slicer, other programs and a browser.

Nothing here imports torch; jobs do, in processes of their own.
"""

from medssl.service.server import serve
from medssl.service.settings import ServiceSettings

__all__ = ["ServiceSettings", "serve"]
