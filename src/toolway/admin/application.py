"""The application: a route for each path of the table, and one way from a request to its operation."""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route

from toolway.admin.answers import Answer, Refusal, not_found
from toolway.admin.bodies import decode
from toolway.admin.document import document
from toolway.admin.keys import Role
from toolway.admin.operation import NO_BODY, Call, Operation
from toolway.admin.resources import PREFIX, RESOURCES
from toolway.admin.table import operations
from toolway.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from toolway.admin.keys import Key
    from toolway.admin.operation import Context

logger = logging.getLogger("toolway.admin")

DOCUMENT = f"{PREFIX}/openapi.json"


def application(context: Context, *, version: str) -> Starlette:
    """The Admin API as an ASGI application; who is let in and how much they may send is `entrance`'s."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations():
        by_path.setdefault(operation.path, {})[operation.method] = operation

    @cache
    def described() -> Answer:
        # Only where somebody asks, since it has the schema of everything.
        return Answer(200, document(context.plugin_schemas, version))

    own = Operation("", "GET", DOCUMENT, "", lambda _context, _call: described(), {})
    by_path[DOCUMENT] = {"GET": own}
    routes = [
        Route(path.replace("{path}", "{path:path}"), _Path(context, found)) for path, found in by_path.items()
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _unrouted})


class _Path:
    """All operations of one path, as an ASGI application: Starlette's routes for functions know a method at
    most.
    """

    def __init__(self, context: Context, by_method: Mapping[str, Operation]) -> None:
        self._context = context
        self._by_method = by_method

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await run_in_threadpool(_answer, self._context, self._by_method, Request(scope))
        await answer.response()(scope, receive, send)


def _answer(context: Context, by_method: Mapping[str, Operation], request: Request) -> Answer:
    """The answer to a request for one of the paths, refusals and the store's failures among them."""
    try:
        operation = by_method.get("GET" if request.method == "HEAD" else request.method)
        if operation is None:
            raise _no_such_method(by_method, request)
        key = request.state.key
        if operation.writes:
            _check_role(key)
            context.writing()
        return operation.run(context, _call(operation, request, key.name))
    except Refusal as refusal:
        return refusal.answer()
    except StoreError as error:
        logger.error("the store failed: %s", error)  # noqa: TRY400
        return Refusal(503, str(error), headers={"retry-after": "1"}).answer()


def _check_role(key: Key) -> None:
    if key.role is not Role.admin:
        reason = {"description": "invalid method for role viewer"}
        raise Refusal(401, "failed to check token", more=reason)


def _call(operation: Operation, request: Request, actor: str) -> Call:
    for name, pattern in operation.patterns.items():
        text = request.path_params.get(name, "")
        if not re.fullmatch(pattern, text):
            word = operation.kind.singular if operation.kind else operation.tag
            raise Refusal(400, f"invalid {name} {text[:100]!r} of {word}")
    query: dict[str, Any] = {}
    headers: dict[str, str] = {}
    for parameter in operation.parameters:
        if parameter.place == "header":
            value = request.headers.get(parameter.name)
            if value is not None:
                headers[parameter.name.lower()] = value
            continue
        given = request.query_params.getlist(parameter.name)
        if len(given) > 1:
            raise Refusal(400, f"invalid argument {parameter.name}: it is given twice")
        if given:
            query[parameter.name] = parameter.read(given[0])
    content: bytes = request.state.body
    body: Any = NO_BODY
    if operation.body is not None and content:
        body = decode(content)
    return Call(dict(request.path_params), query, headers, body, actor)


def _no_such_method(by_method: Mapping[str, Operation], request: Request) -> Refusal:
    allowed = sorted({*by_method, *(["HEAD"] if "GET" in by_method else [])})
    message = f"{request.method} is not for {request.url.path[:200]}; there are {', '.join(allowed)}"
    return Refusal(405, message, headers={"allow": ", ".join(allowed)})


async def _unrouted(request: Request, _error: Exception) -> Response:
    """What Starlette answers by itself: there is no such path."""
    rest = request.url.path.removeprefix(f"{PREFIX}/").split("/")
    if len(rest) > 1 and rest[0] in RESOURCES:
        return not_found().answer().response()
    known = ", ".join(RESOURCES)
    message = f"there is nothing at {request.url.path[:200]}; the kinds are {known}, and {DOCUMENT} has all"
    return Refusal(404, message).answer().response()
