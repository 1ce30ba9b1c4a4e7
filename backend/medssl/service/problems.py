"""The one form in which every error leaves the service."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from medssl.errors import MedSSLError

logger = logging.getLogger("medssl.service")

_STATUS = {
    "usage": 400,
    "path": 403,
    "not_found": 404,
    "project": 409,
    "storage": 409,
    "cancelled": 409,
    "too_large": 413,
    "image": 422,
    "grid": 422,
    "label": 422,
    "data": 422,
    "model": 422,
    "package": 422,
    "version": 426,
}
_WORDS = {
    401: ("token", "The token is missing or wrong.", "Send the header 'Authorization: Bearer <token>'."),
    404: ("not_found", "There is nothing at this address.", "See /openapi.json for what there is."),
    405: ("method", "This address does not know that method.", "See /openapi.json for what there is."),
    413: (
        "too_large",
        "The request is too large.",
        "Send volumes to /v1/uploads, and less to the rest.",
    ),
    429: ("too_many", "Too many requests with a wrong token.", "Wait a minute."),
}


class FieldProblem(BaseModel):
    """What is wrong about one part of a request: where it is, and why it was refused."""

    model_config = ConfigDict(frozen=True)

    where: str = Field(examples=["body.settings.steps"])
    why: str = Field(examples=["Input should be greater than or equal to 1"])


class Problem(BaseModel):
    """An error: `code` for programs, `message` and `remedy` for people, `detail` by part of the request."""

    model_config = ConfigDict(frozen=True)

    code: str = Field(examples=["not_found"])
    message: str = Field(examples=["There is no case 'Anna' in the project."])
    remedy: str = Field(default="", examples=["Check the name."])
    detail: tuple[FieldProblem, ...] = ()


def problem_of(error: MedSSLError) -> Problem:
    """An error of ours as clients get it."""
    return Problem(code=error.code, message=error.what, remedy=error.remedy)


def status_of(error: MedSSLError) -> int:
    """The HTTP status of an error of ours."""
    return _STATUS.get(error.code, 422)


def problem_for_status(status: int) -> Problem:
    """The problem that stands for an HTTP status of its own."""
    code, message, remedy = _WORDS.get(status, ("request", "The request cannot be understood.", ""))
    return Problem(code=code, message=message, remedy=remedy)


def install_handlers(app: FastAPI) -> None:
    """Let every error of an app become a `Problem`, and no traceback leave the process."""

    @app.exception_handler(MedSSLError)
    async def ours(request: Request, error: MedSSLError) -> JSONResponse:
        return _answer(status_of(error), problem_of(error))

    @app.exception_handler(RequestValidationError)
    async def refused(request: Request, error: RequestValidationError) -> JSONResponse:
        return _answer(422, _of_fields(error.errors()))

    @app.exception_handler(ValidationError)
    async def inconsistent(request: Request, error: ValidationError) -> JSONResponse:
        return _answer(422, _of_fields(error.errors()))

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        return _answer(error.status_code, problem_for_status(error.status_code), error.headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return _answer(
            500,
            Problem(
                code="internal",
                message=f"Something went wrong that should not ({type(error).__name__}).",
                remedy="Please report it with the log of the service.",
            ),
        )


def _of_fields(errors: Sequence[object]) -> Problem:
    """What a model refused; the refused values themselves stay out: they can be huge or not even text."""
    detail = tuple(
        FieldProblem(where=".".join(map(str, each["loc"]))[:200], why=str(each["msg"])[:500])
        for each in errors[:20]
        if isinstance(each, dict)
    )
    first = f": {detail[0].where}: {detail[0].why}" if detail else ""
    return Problem(
        code="request",
        message=f"The request is not as it should be{first}.",
        remedy="See /openapi.json for what it should hold.",
        detail=detail,
    )


def _answer(status: int, problem: Problem, headers: object = None) -> JSONResponse:
    kept = dict(headers) if isinstance(headers, dict) else None
    # Names of files may hold bytes that are no text.
    content = problem.model_copy(
        update={name: _as_text(getattr(problem, name)) for name in ("message", "remedy")}
    )
    return JSONResponse(content.model_dump(mode="json"), status_code=status, headers=kept)


def _as_text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
