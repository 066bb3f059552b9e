"""Calls of the tools of three sample documents, and the request that each must become, by OpenAPI 3.1 section
4.8.12, RFC 6570 and, for cookies, RFC 6265. Written by hand from those documents.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
PETS, MUSEUM = "/api/v3", "/_mock/docs/openapi/museum-api"
UUID = "3be6453c-03eb-4357-ae5a-984a0e574a54"


@dataclass(frozen=True, slots=True)
class Call:
    """A call and its request. `body` is JSON data, bytes, or for a multipart body a list of its parts."""

    tool: str
    arguments: dict[str, Any]
    method: str
    target: str
    headers: dict[str, str | None] = field(default_factory=dict)
    body: Any = b""


def sends(tool: str, method: str, target: str, body: Any, **elsewhere: Any) -> Call:
    """A call whose arguments are the JSON body's, and those `elsewhere` in the request."""
    return Call(tool, {**elsewhere, **body}, method, target, {"Content-Type": JSON, "Accept": JSON}, body)


PET = {
    "id": 10,
    "name": "Dög/gie",
    "category": {"id": 1, "name": "Dogs"},
    "photoUrls": ["https://example.com/1.png"],
    "tags": [{"id": 2, "name": "good"}],
    "status": "available",
}
USER = {"id": 1, "username": "ada", "email": "ada@example.com", "userStatus": 1}
ORDER = {"id": 5, "petId": 10, "quantity": 2, "status": "placed", "complete": False}
ACCEPTS_JSON: dict[str, str | None] = {"Accept": JSON, "Content-Type": None}

PETSTORE = [
    sends("updatePet", "PUT", f"{PETS}/pet", PET),
    sends("addPet", "POST", f"{PETS}/pet", {"name": "Rex", "photoUrls": []}),
    Call(
        "findPetsByStatus",
        {"status": "sold"},
        "GET",
        f"{PETS}/pet/findByStatus?status=sold",
        ACCEPTS_JSON,
    ),
    Call("findPetsByStatus", {}, "GET", f"{PETS}/pet/findByStatus", ACCEPTS_JSON),
    Call("findPetsByTags", {"tags": ["a b", "c&d"]}, "GET", f"{PETS}/pet/findByTags?tags=a%20b&tags=c%26d"),
    Call("getPetById", {"petId": 10}, "GET", f"{PETS}/pet/10", ACCEPTS_JSON),
    Call(
        "updatePetWithForm",
        {"petId": 10, "name": "Ré x", "status": "sold"},
        "POST",
        f"{PETS}/pet/10?name=R%C3%A9%20x&status=sold",
        ACCEPTS_JSON,
    ),
    Call("deletePet", {"petId": 10}, "DELETE", f"{PETS}/pet/10", {"api_key": None}),
    Call(
        "uploadFile",
        {"petId": 10, "additionalMetadata": "front", "body": "iVBORw0KGgo="},
        "POST",
        f"{PETS}/pet/10/uploadImage?additionalMetadata=front",
        {"Content-Type": "application/octet-stream", "Accept": JSON},
        b"\x89PNG\r\n\x1a\n",
    ),
    Call("getInventory", {}, "GET", f"{PETS}/store/inventory", ACCEPTS_JSON),
    sends("placeOrder", "POST", f"{PETS}/store/order", ORDER),
    Call("getOrderById", {"orderId": 5}, "GET", f"{PETS}/store/order/5"),
    Call("deleteOrder", {"orderId": 5}, "DELETE", f"{PETS}/store/order/5"),
    sends("createUser", "POST", f"{PETS}/user", USER),
    Call(
        "createUsersWithListInput",
        {"body": [USER, {"username": "bob"}]},
        "POST",
        f"{PETS}/user/createWithList",
        {"Content-Type": JSON},
        [USER, {"username": "bob"}],
    ),
    Call(
        "loginUser",
        {"username": "ada", "password": "p&=?# %"},
        "GET",
        f"{PETS}/user/login?username=ada&password=p%26%3D%3F%23%20%25",
    ),
    Call("logoutUser", {}, "GET", f"{PETS}/user/logout"),
    Call("getUserByName", {"username": "a/b?c#d"}, "GET", f"{PETS}/user/a%2Fb%3Fc%23d"),
    Call(
        "updateUser",
        {"username": "ada", "body": USER},
        "PUT",
        f"{PETS}/user/ada",
        {"Content-Type": JSON},
        USER,
    ),
    Call("deleteUser", {"username": "ada"}, "DELETE", f"{PETS}/user/ada"),
]

EVENT = {
    "name": "Pirate Coding Workshop",
    "location": "Computer Room",
    "eventDescription": "The C language",
    "dates": ["2026-09-05", "2026-09-06"],
    "price": 25.5,
}

MUSEUM_CALLS = [
    Call(
        "getMuseumHours",
        {"startDate": "2026-09-05", "page": 2, "limit": 15},
        "GET",
        f"{MUSEUM}/museum-hours?startDate=2026-09-05&page=2&limit=15",
        ACCEPTS_JSON,
    ),
    sends("createSpecialEvent", "POST", f"{MUSEUM}/special-events", {**EVENT, "eventId": UUID}),
    Call(
        "listSpecialEvents",
        {"endDate": "2026-10-01"},
        "GET",
        f"{MUSEUM}/special-events?endDate=2026-10-01",
        ACCEPTS_JSON,
    ),
    Call("getSpecialEvent", {"eventId": UUID}, "GET", f"{MUSEUM}/special-events/{UUID}", ACCEPTS_JSON),
    sends("updateSpecialEvent", "PATCH", f"{MUSEUM}/special-events/{UUID}", {"price": 15}, eventId=UUID),
    Call("deleteSpecialEvent", {"eventId": UUID}, "DELETE", f"{MUSEUM}/special-events/{UUID}"),
    sends(
        "buyMuseumTickets",
        "POST",
        f"{MUSEUM}/tickets",
        {"email": "ada@example.com", "ticketType": "event", "ticketDate": "2026-09-05", "eventId": UUID},
    ),
    Call("getTicketCode", {"ticketId": UUID}, "GET", f"{MUSEUM}/tickets/{UUID}/qr", {"Accept": "image/png"}),
]

SAMPLE: dict[str, Any] = {"primitive": "a b", "array": ["x", "y"], "object": {"foo": "1", "bar": "2"}}
LISTS: dict[str, Any] = {"array": ["x", "y"], "object": {"foo": "1", "bar": "2"}}


def cookies(tool: str, value: str) -> Call:
    return Call(tool, SAMPLE, "GET", "/cookies", {"Cookie": value})


def headers(tool: str, method: str, path: str, of_object: str) -> Call:
    sent: dict[str, str | None] = {"primitive": "a b", "array": "x,y", "object": of_object}
    return Call(tool, SAMPLE, method, path, sent)


def in_path(tool: str, method: str, path: str) -> Call:
    return Call(tool, SAMPLE, method, f"/anything/path/{path}")


def in_query(tool: str, method: str, rest: str, arguments: dict[str, Any] = SAMPLE) -> Call:
    return Call(tool, arguments, method, f"/anything/query{rest}")


def form_data(tool: str, method: str, rest: str, *, primitive: bool = True) -> Call:
    """OpenAPI 3.0 gives `style` no meaning here: text for values, a part for each of a list, JSON for an
    object.
    """
    parts = [("array", None, b"x"), ("array", None, b"y"), ("object", JSON, b'{"foo":"1","bar":"2"}')]
    if primitive:
        parts.insert(0, ("primitive", None, b"a b"))
    arguments = SAMPLE if primitive else LISTS
    return Call(tool, arguments, method, f"/anything/form-data{rest}", {}, parts)


STYLES = [
    cookies("cookies_standard", "primitive=a%20b; array=x; array=y; foo=1; bar=2"),
    # A comma cannot stand in a cookie's value (RFC 6265 section 4.1.1).
    cookies("cookies_form_nonExploded", "primitive=a%20b; array=x%2Cy; object=foo%2C1%2Cbar%2C2"),
    cookies("cookies_form_exploded", "primitive=a%20b; array=x; array=y; foo=1; bar=2"),
    headers("headers_standard", "GET", "/anything/headers", "foo,1,bar,2"),
    headers("headers_simple_nonExploded", "GET", "/anything/headers/simple", "foo,1,bar,2"),
    headers("headers_simple_exploded", "POST", "/anything/headers/simple", "foo=1,bar=2"),
    in_path("paths_standard", "GET", "a%20b/x,y/foo,1,bar,2"),
    in_path("paths_matrix_nonExploded", "GET", "matrix/;primitive=a%20b/;array=x,y/;object=foo,1,bar,2"),
    in_path("paths_matrix_exploded", "POST", "matrix/;primitive=a%20b/;array=x;array=y/;foo=1;bar=2"),
    in_path("paths_label_nonExploded", "GET", "label/.a%20b/.x,y/.foo,1,bar,2"),
    in_path("paths_label_exploded", "POST", "label/.a%20b/.x.y/.foo=1.bar=2"),
    in_path("paths_simple_nonExploded", "GET", "simple/a%20b/x,y/foo,1,bar,2"),
    in_path("paths_simple_exploded", "POST", "simple/a%20b/x,y/foo=1,bar=2"),
    in_query("query_standard", "GET", "?primitive=a%20b&array=x&array=y&foo=1&bar=2"),
    in_query("query_form_nonExploded", "GET", "/form?primitive=a%20b&array=x,y&object=foo,1,bar,2"),
    in_query("query_form_exploded", "POST", "/form?primitive=a%20b&array=x&array=y&foo=1&bar=2"),
    in_query(
        "query_spaceDelimited_nonExploded",
        "GET",
        "/spaceDelimited?array=x%20y&object=foo%201%20bar%202",
        LISTS,
    ),
    in_query(
        "query_pipeDelimited_nonExploded",
        "GET",
        "/pipeDelimited?array=x%7Cy&object=foo%7C1%7Cbar%7C2",
        LISTS,
    ),
    in_query(
        "query_deepObject_nonExploded",
        "GET",
        "/deepObject?object%5Bfoo%5D=1&object%5Bbar%5D=2",
        {"object": LISTS["object"]},
    ),
    form_data("formData_standard", "POST", ""),
    form_data("formData_form_nonExploded", "POST", "/form"),
    form_data("form_data_form_exploded", "PUT", "/form"),
    form_data("formData_spaceDelimited_nonExploded", "POST", "/spaceDelimited", primitive=False),
    form_data("form_data_pipeDelimited_nonExploded", "POST", "/pipeDelimited", primitive=False),
    form_data("form_data_deepObject_exploded", "POST", "/deepObject"),
]

CALLS = {
    "petstore-3.0.yaml": PETSTORE,
    "museum-3.1.yaml": MUSEUM_CALLS,
    "readme-parameters-style-3.0.json": STYLES,
}
