"""The service itself: that it is here, what its computer has, and ending it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request

from medssl import __version__
from medssl.doctor import Examination
from medssl.endpoint import API
from medssl.errors import MedSSLError, UsageError
from medssl.host import find_nvidia_gpus, free_disk_bytes
from medssl.machine import Machine
from medssl.service.context import ServiceOf
from medssl.service.views import DeviceView, Done, GpuView, HealthView, ServiceView

router = APIRouter(prefix="/v1", tags=["service"])

_DOCTOR_S = 120.0


@router.get("/health")
async def health(
    service: ServiceOf,
    request: Request,
    challenge: Annotated[str, Query(description="Any text, new each time.", max_length=100)] = "",
) -> HealthView:
    """Say that MedSSL is here, and prove that it knows the token. Needs no token."""
    server = request.scope.get("server")
    port = None if server is None else server[1]
    return HealthView(
        version=__version__,
        api=API,
        instance=service.instance,
        proof=service.token.proof(challenge, service.instance, port),
    )


@router.get("/service")
def about(service: ServiceOf) -> ServiceView:
    """Describe the service."""
    return ServiceView(
        version=__version__,
        api=API,
        instance=service.instance,
        process_id=os.getpid(),
        started=service.started,
        host_name=socket.gethostname(),
        roots=service.roots.folders,
        max_upload_bytes=service.settings.max_upload_bytes,
        idle_end_s=service.settings.idle_s,
        working=not service.engine.idle,
    )


@router.get("/device")
def device(service: ServiceOf) -> DeviceView:
    """Look at processor, memory, disk and GPUs of the engine's computer."""
    machine = Machine.look(with_gpu=False)
    return DeviceView(
        cores=machine.cores,
        memory_free_bytes=machine.memory_free_bytes,
        memory_total_bytes=machine.memory_total_bytes,
        disk_free_bytes=free_disk_bytes(service.roots.folders[0]),
        gpus=tuple(
            GpuView(
                name=gpu.name,
                driver=gpu.driver,
                memory_free_bytes=gpu.memory_free_bytes,
                memory_total_bytes=gpu.memory_total_bytes,
            )
            for gpu in find_nvidia_gpus()
        ),
    )


@router.get("/doctor")
def doctor(
    service: ServiceOf,
    folder: Annotated[Path | None, Query(description="Where the projects are, or will be.")] = None,
) -> Examination:
    """Check the engine's computer and installation, as `medssl doctor` does. Takes some seconds."""
    where = service.roots.inside(folder) if folder is not None else service.roots.folders[0]
    # In a process of its own: it loads torch, which the service never does.
    script = "import sys; from medssl.cli import main; sys.argv[0] = 'medssl'; main()"
    command = [sys.executable, "-c", script, "doctor", str(where), "--json"]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=_DOCTOR_S, check=False)
        return Examination.model_validate(json.loads(answer.stdout))
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise MedSSLError(
            "The computer of the engine could not be checked.", "Run 'medssl doctor' there."
        ) from error


@router.post("/shutdown")
def shutdown(
    service: ServiceOf,
    force: Annotated[bool, Query(description="Even when jobs run; they go on at the next start.")] = False,
) -> Done:
    """End the service."""
    if not force and not service.engine.idle:
        raise UsageError("The engine is working on a job.", "Wait, cancel the job, or force the end.")
    service.stopping = True
    return Done()
