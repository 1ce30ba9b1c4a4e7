"""Sessions of `requests`, for an engine elsewhere and for one's own."""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter


def new_session(direct: bool, fingerprint: str) -> requests.Session:
    """Make a session.

    Args:
        direct: whether to pass by the proxies that the environment names, and all else that it says.
        fingerprint: SHA-256, in hexadecimal, of the only certificate to take, whatever name it is for and
            whoever signed it; empty where names and signatures are checked as usual.
    """
    session = requests.Session()
    session.trust_env = not direct
    if fingerprint:
        session.mount("https://", _Pinned(fingerprint))
    return session


class _Pinned(HTTPAdapter):
    """Takes one certificate and no other."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, assert_fingerprint=self._fingerprint)

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        # Whoever signed it may not be known on this computer, and would prove less than the fingerprint.
        return super().send(request, *arguments, **{**options, "verify": False})
