"""The client: one function a request."""

from __future__ import annotations

from collections.abc import Callable

from medssl.client.case_calls import CaseCalls
from medssl.client.connection import Connection
from medssl.client.file_calls import FileCalls
from medssl.client.job_calls import JobCalls
from medssl.client.model_calls import ModelCalls
from medssl.client.review_calls import ReviewCalls
from medssl.client.service_calls import ServiceCalls


class Client(ServiceCalls, CaseCalls, ReviewCalls, JobCalls, ModelCalls, FileCalls):
    """Talks to one engine. Threads may share it; every function waits for its answer.

    Paths are those of the engine's computer, inside its `roots`; from another computer, `upload` a file
    first and give the path of the upload.

    All functions raise `EngineError`.
    """

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str],
        *,
        verify: bool | str = True,
        timeout_s: float = 30.0,
        direct: bool = False,
        fingerprint: str = "",
    ) -> None:
        """Name a service; nothing is sent yet.

        Args:
            url: such as 'https://gpu.example.org:8443'.
            token: what `medssl serve` keeps in its token file, or a function that reads it.
            verify: the PEM file of a certificate to trust, where this computer does not know it.
            timeout_s: how long an answer may take.
            direct: whether to pass by the proxies that the environment names.
            fingerprint: SHA-256 of the certificate to take, and no other; then it may be for any name.
        """
        give = token if callable(token) else lambda: token
        super().__init__(Connection(url, give, verify, timeout_s, direct, fingerprint))

    @property
    def url(self) -> str:
        """Where the service is."""
        return self.connection.url
