"""An error over HTTP, in the shape that clients of OpenAI's API read."""

from typing import Any

from starlette.responses import JSONResponse


def error_body(status: int, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    if status >= 500:
        kind = "server_error"
    else:
        kind = "rate_limit_error" if status == 429 else "invalid_request_error"
    return {"error": {"type": kind, "code": code, "message": message, "param": param}}


def error_response(
    status: int, code: str, message: str, param: str | None = None, retry_after_s: int | None = None
) -> JSONResponse:
    headers = None if retry_after_s is None else {"retry-after": str(retry_after_s)}
    return JSONResponse(error_body(status, code, message, param), status, headers)
