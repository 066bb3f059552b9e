"""The one shape in which both demo APIs tell an error, and the way there from an exception.

`{"error": {"code", "message", "details"?}}`: `code` is for programs, `message` says to a person or a model
what is wrong and what would be right. Neither API has any other error body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.requests import Request


class ApiError(Exception):
    """Ends a request with `status` and the error body."""

    def __init__(
        self, status: int, code: str, message: str, details: list[dict[str, Any]] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = details

    def response(self) -> JSONResponse:
        """The answer that a client gets."""
        error: dict[str, Any] = {"code": self.code, "message": str(self)}
        if self.details is not None:
            error["details"] = self.details
        return JSONResponse({"error": error}, self.status)


async def tell_api_error(_request: Request, error: Exception) -> JSONResponse:
    """Starlette's exception hook for `ApiError`."""
    assert isinstance(error, ApiError)
    return error.response()


async def tell_http_error(request: Request, error: Exception) -> JSONResponse:
    """Starlette's exception hook for its own 404 and 405, so that they have our body too."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        message = f"{request.method} is not possible on {request.url.path}."
        response = ApiError(405, "method_not_allowed", message).response()
    else:
        message = f"There is nothing at {request.url.path}. The paths of this API are in /openapi.yaml."
        response = ApiError(error.status_code, "not_found", message).response()
    response.headers.update(error.headers or {})
    return response


EXCEPTION_HOOKS = {ApiError: tell_api_error, HTTPException: tell_http_error}
"""For `Starlette(exception_handlers=...)`."""
