"""The first chapters of the play: a ChatGPT plugin and its GPT Actions over plain HTTP.

Everything is found the way a client finds it: the manifest at its well-known path, the document where the
manifest says, each request as the document says. Any answer that is not as it should be ends its chapter.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from toolway.demo.play import KEY_HEADER, ORDER, SEARCH, SEARCHES, SPEAKER, Deviation, expect
from toolway.demo.published import DocumentError, PlannedRequest, PublishedDocument

if TYPE_CHECKING:
    import httpx

    from toolway.demo.play import Stage
    from toolway.demo.screen import Screen


class WebPlay:
    """ChatGPT over HTTP: reads what the gateway publishes and calls operations by it."""

    def __init__(self, screen: Screen, client: httpx.Client, stage: Stage) -> None:
        self._screen = screen
        self._client = client
        self._stage = stage

    def discover(self) -> PublishedDocument:
        """Follows the manifest to the document. Raises Deviation."""
        self._screen.step("What is this plugin, and where does it say what it can do?")
        self._screen.request("GET /.well-known/ai-plugin.json")
        response = self._client.get("/.well-known/ai-plugin.json")
        manifest = self._json(response, 200)
        expect(manifest.get("schema_version") == "v1", "the manifest's schema_version is v1")
        expect(manifest.get("auth", {}).get("type") == "none", "the manifest's auth is none")
        address = str(manifest.get("api", {}).get("url"))
        expect(address.startswith(self._stage.base_url + "/"), f"{address} is at {self._stage.base_url}")
        self._screen.passed(f"{manifest['name_for_human']}: its document is at {address}")

        self._screen.step("What can it do?")
        path = urlsplit(address).path
        self._screen.request(f"GET {path}")
        response = self._client.get(path)
        expect(response.status_code == 200, f"the answer is 200, not {response.status_code}")
        document = PublishedDocument(yaml.safe_load(response.text))
        listed = [f"{name:<20}{place}" for name, place in document.operations().items()]
        self._screen.answer(_status(response), "\n".join(listed))
        expect(document.version.startswith("3.1."), f"the document is OpenAPI 3.1, not {document.version}")
        expect(
            document.servers == [self._stage.base_url], f"its one server is the gateway, {document.servers}"
        )
        expect("GetProduct" not in document.operations(), "it does not show what the app does not select")
        expect("PlaceOrder" not in document.operations(), "it does not show what only buyers may call")
        self._screen.passed(f"{len(listed)} operations, and nothing that the app does not select")
        return document

    def ask(self, document: PublishedDocument) -> None:
        """The questions that the seed's plugin was made for. Raises Deviation."""
        self._screen.step(f"Who is {SPEAKER}?")
        found = self._call(document, "FindSpeakers", {"name": SPEAKER})
        names = [speaker["name"] for speaker in found["speakers"]]
        expect(names == [SPEAKER], f"one speaker of this name is found, {names}")
        number = found["speakers"][0]["id"]
        self._screen.passed(f"{SPEAKER} is speaker {number}")

        self._screen.step(f"Which sessions does {SPEAKER} hold?")
        sessions = self._call(document, "GetSpeakerSessions", {"id": number})["sessions"]
        expect(bool(sessions), "the speaker holds sessions")
        self._screen.passed("; ".join(session["title"] for session in sessions))

        self._screen.step(f"And what does {SPEAKER} talk about?")
        topics = [
            topic["name"] for topic in self._call(document, "GetSpeakerTopics", {"id": number})["topics"]
        ]
        spoken = {name for session in sessions for name in session["topics"]}
        expect(set(topics) == spoken, "the topics are those of the sessions")
        self._screen.passed(", ".join(topics))

    def order(self, document: PublishedDocument) -> None:
        """An order: shown to a buyer alone, and placed by nobody else."""
        expect(document.credential_header("FindSpeakers") is None, "the document leaves the questions open")
        visitor = {KEY_HEADER: self._stage.visitor_key}
        buyer = {KEY_HEADER: self._stage.key}
        self._screen.step("What can a visitor do, and what a buyer? Each shows a key.")
        seen = self._document(visitor).operations()
        expect("GetOrder" in seen and "PlaceOrder" not in seen, "a visitor is not shown PlaceOrder")
        document = self._document(buyer)
        expect("PlaceOrder" in document.operations(), "a buyer is shown PlaceOrder")
        header = document.credential_header("PlaceOrder")
        expect(header == KEY_HEADER, f"the document says that its key goes into {KEY_HEADER}, not {header}")
        self._screen.passed("only the buyer is shown PlaceOrder")

        self._screen.step("Order two mugs, without showing a key.")
        refusal = self._call(document, "PlaceOrder", ORDER, status=401)
        self._refused(refusal, "Missing API key in request")
        self._screen.step("Try it with a key that somebody made up.")
        refusal = self._call(document, "PlaceOrder", ORDER, status=401, headers={KEY_HEADER: "a-made-up-key"})
        self._refused(refusal, "Invalid API key in request")
        self._screen.step("Try it with the visitor's key.")
        refusal = self._call(document, "PlaceOrder", ORDER, status=403, headers=visitor)
        told = str(refusal.get("error_msg"))
        expect("the role buyer" in told, f"the visitor is told which role it takes, {told!r}")
        self._screen.passed(f"refused by the gateway: {told}")

        self._screen.step("Order them with the key that the user gave to ChatGPT.")
        placed = self._call(document, "PlaceOrder", ORDER, status=201, headers=buyer)
        expect(placed.get("total_cents") == 2400, "two mugs cost 24.00 EUR")
        self._screen.passed(f"{placed['id']} is placed")

        self._screen.step("Read the order back, as the visitor, who may look.")
        read = self._call(document, "GetOrder", {"id": placed["id"]}, headers=visitor)
        expect(read == placed, "it is the order that was placed")
        self._screen.passed("the order is as it was placed")

    def _document(self, headers: dict[str, str]) -> PublishedDocument:
        """The document as a caller with these headers is shown it."""
        self._screen.request("GET /openapi.yaml", *(f"{name}: {'*' * 8}" for name in headers))
        response = self._client.get("/openapi.yaml", headers=headers)
        expect(response.status_code == 200, f"the answer is 200, not {response.status_code}")
        document = PublishedDocument(yaml.safe_load(response.text))
        self._screen.answer(_status(response), f"{len(document.operations())} operations")
        return document

    def exhaust(self, document: PublishedDocument) -> None:
        """Searches until the limit refuses. Raises Deviation."""
        self._screen.step("Search the sessions, again and again.")
        plan = self._plan(document, "FindSessions", SEARCH)
        self._screen.request(self._line(plan), "the same until it is refused")
        # The window may end in between, once at most: so twice the limit and one more are sure to pass it.
        for number in range(1, 2 * SEARCHES + 2):
            response = self._send(plan)
            if response.status_code == 429:
                break
            expect(response.status_code == 200, f"search {number} is answered with 200 or 429")
        else:
            raise Deviation(
                f"{2 * SEARCHES + 1} searches in a row were all answered; the limit is {SEARCHES}"
            )
        self._screen.answer(_status(response, "retry-after"), response.json(), good=False)
        wait = response.headers.get("retry-after", "")
        expect(wait.isdigit() and 1 <= int(wait) <= 60, f"Retry-After says when to come back, {wait!r}")
        self._screen.passed(f"search {number} is refused; come back in {wait} seconds")

    def _refused(self, refusal: Any, message: str) -> None:
        expect(refusal.get("message") == message, f"the message is {message!r}, {refusal!r}")
        self._screen.passed(f"refused by the gateway: {message}")

    def _call(
        self,
        document: PublishedDocument,
        operation_id: str,
        arguments: dict[str, Any],
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Any:
        plan = self._plan(document, operation_id, arguments)
        details = [f"{name}: {'*' * 8}" for name in headers or {}]
        if plan.body is not None:
            details.append(json.dumps(plan.body, ensure_ascii=False))
        self._screen.request(self._line(plan), *details)
        return self._json(self._send(plan, headers), status)

    def _plan(
        self, document: PublishedDocument, operation_id: str, arguments: dict[str, Any]
    ) -> PlannedRequest:
        try:
            return document.plan(operation_id, arguments)
        except DocumentError as error:
            raise Deviation(f"the document: {error}") from error

    def _line(self, plan: PlannedRequest) -> str:
        built = self._client.build_request(plan.method, plan.target, params=plan.query or None)
        return f"{plan.method} {built.url.raw_path.decode('ascii')}"

    def _send(self, plan: PlannedRequest, headers: dict[str, str] | None = None) -> httpx.Response:
        return self._client.request(
            plan.method,
            plan.target,
            params=plan.query or None,
            headers=plan.headers | (headers or {}),
            json=plan.body,
        )

    def _json(self, response: httpx.Response, status: int) -> Any:
        kind = response.headers.get("content-type", "").partition(";")[0]
        value = response.json() if kind == "application/json" else response.text
        self._screen.answer(_status(response), value, good=response.is_success)
        expect(response.status_code == status, f"the status is {status}, not {response.status_code}")
        expect(isinstance(value, dict), "the answer is a JSON object")
        expect("x-request-id" in response.headers, "the answer has an X-Request-Id")
        return value


def _status(response: httpx.Response, *headers: str) -> str:
    shown = "".join(f", {name}: {response.headers[name]}" for name in headers if name in response.headers)
    return f"{response.status_code} {response.reason_phrase}{shown}"
