"""The Conference API of the demo: who speaks, when, and about what.

It serves the tables of `data` as `conference.yaml` describes them, and that document itself at
`/openapi.yaml`. An ordinary HTTP API without
authentication, which knows nothing of the gateway in front of it.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from toolway.demo.data import Conference, Session, Speaker, Topic, conference
from toolway.demo.errors import EXCEPTION_HOOKS, ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

PAGE_SIZE = 20

Row = TypeVar("Row")


class ConferenceApi:
    """The operations of the document, one method each, over one set of tables."""

    def __init__(self, tables: Conference) -> None:
        self._tables = tables

    async def find_speakers(self, request: Request) -> Response:
        """FindSpeakers: those whose name has `name` in it, 20 on a page."""
        wanted = request.query_params.get("name", "").strip().casefold()
        found = [speaker for speaker in self._tables.speakers.values() if wanted in speaker.name.casefold()]
        return _page(request, "speakers", [speaker.row() for speaker in found])

    async def get_speaker(self, request: Request) -> Response:
        """GetSpeaker."""
        return JSONResponse(self._speaker(request).row())

    async def get_speaker_sessions(self, request: Request) -> Response:
        """GetSpeakerSessions."""
        speaker = self._speaker(request)
        sessions = [session.row() for session in self._tables.sessions_of(speaker)]
        return JSONResponse({"speaker": speaker.reference(), "sessions": sessions})

    async def get_speaker_topics(self, request: Request) -> Response:
        """GetSpeakerTopics."""
        speaker = self._speaker(request)
        topics = [topic.row() for topic in self._tables.topics_of(speaker)]
        return JSONResponse({"speaker": speaker.reference(), "topics": topics})

    async def find_sessions(self, request: Request) -> Response:
        """FindSessions: by words of the title and by topic, 20 on a page."""
        title = request.query_params.get("title", "").strip().casefold()
        topic = self._topic_named(request.query_params.get("topic", "").strip())
        found = [
            session.row()
            for session in self._tables.sessions.values()
            if title in session.title.casefold() and (topic is None or topic in session.topics)
        ]
        return _page(request, "sessions", found)

    async def get_session(self, request: Request) -> Response:
        """GetSession."""
        return JSONResponse(self._session(request).row())

    async def get_session_topics(self, request: Request) -> Response:
        """GetSessionTopics."""
        session = self._session(request)
        return JSONResponse({"session_id": session.id, "topics": [topic.row() for topic in session.topics]})

    async def list_topics(self, _request: Request) -> Response:
        """ListTopics."""
        return JSONResponse({"topics": [topic.row() for topic in self._tables.topics.values()]})

    async def get_topic_sessions(self, request: Request) -> Response:
        """GetTopicSessions: 20 on a page."""
        topic: Topic = _row(request, "topic", self._tables.topics, "GET /topics")
        found = [session.row() for session in self._tables.sessions.values() if topic in session.topics]
        return _page(request, "sessions", found)

    def _speaker(self, request: Request) -> Speaker:
        return _row(request, "speaker", self._tables.speakers, "GET /speakers?name=")

    def _session(self, request: Request) -> Session:
        return _row(request, "session", self._tables.sessions, "GET /sessions?title=")

    def _topic_named(self, name: str) -> Topic | None:
        if not name:
            return None
        for topic in self._tables.topics.values():
            if topic.name.casefold() == name.casefold():
                return topic
        message = f"There is no topic {name!r}. GET /topics lists the names."
        raise ApiError(400, "unknown_topic", message)


def _row(request: Request, kind: str, table: Mapping[int, Row], search: str) -> Row:
    written = request.path_params["id"]
    number = _positive(written)
    if number is None:
        raise ApiError(400, "invalid_id", f"The {kind}'s id must be a whole number from 1, not {written!r}.")
    if number not in table:
        message = f"There is no {kind} {number}. Ids go from 1 to {len(table)}; find one with {search}."
        raise ApiError(404, "not_found", message)
    return table[number]


def _page(request: Request, name: str, rows: Sequence[dict[str, Any]]) -> JSONResponse:
    written = request.query_params.get("page", "1")
    number = _positive(written)
    pages = max(1, -(-len(rows) // PAGE_SIZE))
    if number is None or number > pages:
        raise ApiError(
            400, "invalid_page", f"The page must be a whole number from 1 to {pages}, not {written!r}."
        )
    start = (number - 1) * PAGE_SIZE
    return JSONResponse(
        {name: rows[start : start + PAGE_SIZE], "total": len(rows), "page": number, "pages": pages}
    )


def _positive(written: str) -> int | None:
    # int() would also take "+1", " 1", "1_000" and digits of other scripts.
    if not (written.isascii() and written.isdigit() and len(written) <= 9):
        return None
    return int(written) or None


async def _document(_request: Request) -> Response:
    text = files("toolway.demo").joinpath("conference.yaml").read_text(encoding="utf-8")
    return Response(text, media_type="application/yaml")


def application() -> Starlette:
    """The API as an ASGI application, with tables of its own."""
    api = ConferenceApi(conference())
    return Starlette(
        routes=[
            Route("/speakers", api.find_speakers),
            Route("/speaker/{id}", api.get_speaker),
            Route("/speaker/{id}/sessions", api.get_speaker_sessions),
            Route("/speaker/{id}/topics", api.get_speaker_topics),
            Route("/sessions", api.find_sessions),
            Route("/session/{id}", api.get_session),
            Route("/session/{id}/topics", api.get_session_topics),
            Route("/topics", api.list_topics),
            Route("/topic/{id}/sessions", api.get_topic_sessions),
            Route("/openapi.yaml", _document),
        ],
        exception_handlers=EXCEPTION_HOOKS,
    )
