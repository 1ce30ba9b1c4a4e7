"""A service with a certificate: who checks what of it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from medssl.cli.app import run
from medssl.client import Client, EngineError, attach
from medssl.endpoint import read_token
from service_engine import Engine

Certified = Callable[[str], Path]


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    """A function that makes a certificate for a name, which signs itself, with its key beside it."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl, which makes the certificate, is not installed")

    def make(name: str) -> Path:
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        names = ["-subj", "/CN=MedSSL", "-addext", f"subjectAltName={name}", "-days", "2"]
        files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
        command = [program, "req", "-x509", *curve, *names, *files]
        subprocess.run(command, check=True, capture_output=True)
        return tmp_path / "cert.pem"

    return make


def test_tls_is_spoken_and_certificates_are_checked(
    start_engine: Callable[..., Engine], certified: Certified, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate = certified("IP:127.0.0.1")
    key = certificate.with_name("key.pem")
    engine = start_engine("--tls-cert", str(certificate), "--tls-key", str(key))
    assert engine.url.startswith("https://")
    token = read_token(engine.state)
    assert Client(engine.url, token, verify=str(certificate)).service().version
    with pytest.raises(EngineError, match="not trusted") as told:
        Client(engine.url, token).service()
    assert told.value.code == "tls"
    with pytest.raises(EngineError, match="always checked"):
        Client(engine.url, token, verify=False)
    other = str(engine.state.with_name("other"))
    assert run(["serve", "--tls-cert", str(key), "--state-folder", other, "--root", other]) == 2
    assert "certificate" in capsys.readouterr().err


def test_ones_own_engine_is_known_by_its_certificate_whatever_name_that_is_for(
    start_engine: Callable[..., Engine], certified: Certified
) -> None:
    """And when the file has its successor by now: the engine shows the old one until it is started anew."""
    certificate = certified("DNS:gpu-server.hospital.org")
    key = certificate.with_name("key.pem")
    engine = start_engine("--host", "0.0.0.0", "--tls-cert", str(certificate), "--tls-key", str(key))
    url = engine.client.url
    assert engine.client.service().version
    with pytest.raises(EngineError, match="not trusted"):  # for everybody else, the name counts
        Client(url, engine.token, verify=str(certificate)).service()
    certified("DNS:gpu-server.hospital.org")
    found = attach(engine.state)
    assert found is not None
    assert found.service().version
    with pytest.raises(EngineError, match="not trusted") as told:
        Client(url, engine.token, fingerprint="00" * 32).service()
    assert told.value.code == "tls"
