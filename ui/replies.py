"""Refusals as they are sent: the one shape of every error of the endpoint."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from ui.contract import ErrorModel


def refusal(status: int, code: str, message: str, remedy: str, *, retryable: bool = False, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A reply with an error: what is wrong, what to do about it, and whether the same call may succeed later."""
    body = ErrorModel(code=code, message=message, remedy=remedy, retryable=retryable)
    return JSONResponse(body.model_dump(), status_code=status, headers=headers)
