"""OpenAPI documents as read, for configurations whose `spec` names one of them."""

from __future__ import annotations

from toolway.openapi.model import Document, Operation, Parameter, Response, SetAside

_ID = Parameter("id", "path", True, {"type": "integer"}, "simple", False, "Number of the speaker.")
_NAME = Parameter("name", "query", False, {"type": "string"}, "form", True, "Part of the name.")
_DONE = (Response("200", "Done."),)

CONFERENCE = Document(
    version="3.0.3",
    title="Conference API",
    api_version="1.2.0",
    description="Speakers and their sessions.",
    servers=("https://conference.example.com/v1/",),
    base_path="/v1",
    operations=(
        Operation(
            "findSpeakers", "GET", "/speakers", summary="Find speakers", parameters=(_NAME,), responses=_DONE
        ),
        Operation("getSessions", "GET", "/speaker/{id}/sessions", parameters=(_ID,), responses=_DONE),
        Operation("deleteSpeaker", "DELETE", "/speaker/{id}", parameters=(_ID,), responses=_DONE),
        Operation(
            "uploadPhoto",
            "PUT",
            "/speaker/{id}/photo",
            parameters=(_ID,),
            responses=_DONE,
            servers=("https://files.example.com:8443/store",),
        ),
    ),
    schemas={},
    security_schemes={},
    set_aside=(SetAside("GET /broken", "the path is not text", "/paths/broken"),),
)

SERVERLESS = Document(
    version="3.1.0",
    title="Orders",
    api_version="",
    description="",
    servers=(),
    base_path="/v2",
    operations=(Operation("placeOrder", "POST", "/orders", responses=_DONE),),
    schemas={},
    security_schemes={},
)

GUARDED = Document(
    version="3.1.0",
    title="Guarded",
    api_version="1",
    description="",
    servers=("https://guarded.example.com",),
    operations=tuple(
        Operation(f"get{name}", "GET", f"/{name.lower()}", responses=_DONE, security=({"key": []},))
        for name in ("Plain", "Kept", "Shown", "Given")
    ),
    schemas={},
    security_schemes={"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
)

DOCUMENTS = {"conference.json": CONFERENCE, "orders.json": SERVERLESS, "guarded.json": GUARDED}
