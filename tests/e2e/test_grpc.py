"""gRPC through the gateway: a real client and a real server, with and without TLS on either side."""

from __future__ import annotations

import threading
from concurrent import futures
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import trustme

from .serving import LISTEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Serve
    from .serving import Gateway

PATIENCE = 60.0
LARGE = 1 << 20
COUNT = 1024
MEMORY = 150 << 20
"""Of the whole gateway process, interpreter included."""


class Echo(grpc.GenericRpcHandler):
    """A service of bytes, one method for each kind of call."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        kinds: dict[str, Any] = {
            "/test.Echo/Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "/test.Echo/Count": grpc.stream_unary_rpc_method_handler(self.count),
            "/test.Echo/Repeat": grpc.unary_stream_rpc_method_handler(self.repeat),
            "/test.Echo/Chat": grpc.stream_stream_rpc_method_handler(self.chat),
            "/test.Echo/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "/test.Echo/Wait": grpc.unary_unary_rpc_method_handler(self.wait),
        }
        return kinds.get(call.method)

    def unary(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        sent = dict(context.invocation_metadata())
        context.set_trailing_metadata((("x-seen", str(sent["x-own"])), ("x-raw-bin", b"\x00\xff")))
        return request

    def count(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        return str(sum(len(request) for request in requests)).encode()

    def repeat(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        for _ in range(int(request)):
            yield bytes(LARGE)

    def chat(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            yield request + b"!"

    def fail(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.ALREADY_EXISTS, "schon da: 100 % äh")
        raise AssertionError

    def wait(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        ended = threading.Event()
        context.add_callback(ended.set)
        if ended.wait(PATIENCE):
            self.cancelled.set()
        return request


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def echo() -> Echo:
    return Echo()


@pytest.fixture(scope="module")
def ports(authority: trustme.CA, echo: Echo) -> Iterator[tuple[int, int]]:
    """The ports of the service, without TLS and with it."""
    leaf = authority.issue_cert("127.0.0.1")
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    server = grpc.server(futures.ThreadPoolExecutor(16), handlers=[echo])
    plain = server.add_insecure_port("127.0.0.1:0")
    credentials = grpc.ssl_server_credentials([(leaf.private_key_pem.bytes(), chain)])
    secured = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield plain, secured
    server.stop(None).wait()


def configuration(
    port: int, scheme: str, authority: trustme.CA, plugins: dict[str, Any] | None = None
) -> dict[str, Any]:
    leaf = authority.issue_cert("localhost")
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    tls = {"listen": ["127.0.0.1:0"], "cert": chain.decode(), "key": leaf.private_key_pem.bytes().decode()}
    upstream: dict[str, Any] = {"scheme": scheme, "nodes": {f"127.0.0.1:{port}": 1}}
    if scheme == "grpcs":
        upstream["tls"] = {"ca": authority.cert_pem.bytes().decode()}
    return {
        "gateway": {**LISTEN, "tls": tls},
        "consumers": [{"username": "jack", "plugins": {"key-auth": {"key": "sesame"}}}],
        "routes": [{"uri": "/test.Echo/*", "upstream": upstream, "plugins": plugins or {}}],
    }


def channel_to(gateway: Gateway, authority: trustme.CA | None = None) -> grpc.Channel:
    options: list[tuple[str, Any]] = [("grpc.enable_http_proxy", 0)]
    if authority is None:
        return grpc.insecure_channel(f"127.0.0.1:{gateway.port}", options)
    port = gateway.said.wait_for("toolway: TLS on ").rpartition(":")[2]
    credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    options.append(("grpc.ssl_target_name_override", "localhost"))
    return grpc.secure_channel(f"127.0.0.1:{port}", credentials, options)


@pytest.mark.parametrize("scheme", ["grpc", "grpcs"])
@pytest.mark.parametrize("is_secured", [False, True])
def test_calls_of_each_kind_pass(
    serve: Serve, ports: tuple[int, int], authority: trustme.CA, scheme: str, *, is_secured: bool
) -> None:
    gateway = serve(configuration(ports[scheme == "grpcs"], scheme, authority))
    with channel_to(gateway, authority if is_secured else None) as channel:
        unary: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Unary")
        answer, call = unary.with_call(b"hello", timeout=PATIENCE, metadata=(("x-own", "7"),))
        trailing = dict(call.trailing_metadata())
        assert (answer, call.code()) == (b"hello", grpc.StatusCode.OK)
        assert (trailing["x-seen"], trailing["x-raw-bin"]) == ("7", b"\x00\xff")
        count: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary("/test.Echo/Count")
        assert count(iter([b"x" * 1000] * 100), timeout=PATIENCE) == b"100000"
        repeat: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream("/test.Echo/Repeat")
        assert [len(part) for part in repeat(b"3", timeout=PATIENCE)] == [LARGE] * 3
        fail: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Fail")
        with pytest.raises(grpc.RpcError) as failed:
            fail(b"", timeout=PATIENCE)
        assert failed.value.code() is grpc.StatusCode.ALREADY_EXISTS
        assert failed.value.details() == "schon da: 100 % äh"


def test_both_sides_talk_in_turns(serve: Serve, ports: tuple[int, int], authority: trustme.CA) -> None:
    gateway = serve(configuration(ports[0], "grpc", authority))
    answered = threading.Semaphore(1)

    def questions() -> Iterator[bytes]:
        for number in range(50):
            answered.acquire()
            yield str(number).encode()

    with channel_to(gateway) as channel:
        heard = []
        chat: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/test.Echo/Chat")
        for answer in chat(questions(), timeout=PATIENCE):
            heard.append(answer)
            answered.release()
    assert heard == [f"{number}!".encode() for number in range(50)]


def test_a_call_that_is_cancelled_or_out_of_time_ends_at_the_server(
    serve: Serve, ports: tuple[int, int], authority: trustme.CA, echo: Echo
) -> None:
    gateway = serve(configuration(ports[0], "grpc", authority))
    with channel_to(gateway) as channel:
        wait: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Wait")
        echo.cancelled.clear()
        with pytest.raises(grpc.RpcError) as failed:
            wait(b"", timeout=0.2)
        assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert echo.cancelled.wait(PATIENCE)
        # The connection goes on.
        unary: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Unary")
        assert unary(b"next", timeout=PATIENCE, metadata=(("x-own", "1"),)) == b"next"


def test_refusals_of_the_gateway_reach_the_client(
    serve: Serve, ports: tuple[int, int], authority: trustme.CA
) -> None:
    gateway = serve(configuration(ports[0], "grpc", authority, {"key-auth": {}}))
    with channel_to(gateway) as channel:
        unary: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Unary")
        for metadata, code, said in [
            ((), grpc.StatusCode.UNAUTHENTICATED, "Missing API key in request"),
            ((("apikey", "wrong"),), grpc.StatusCode.UNAUTHENTICATED, "Invalid API key in request"),
        ]:
            with pytest.raises(grpc.RpcError) as failed:
                unary(b"", timeout=PATIENCE, metadata=metadata)
            assert (failed.value.code(), failed.value.details()) == (code, said)
        metadata = (("apikey", "sesame"), ("x-own", "2"))
        assert unary(b"in", timeout=PATIENCE, metadata=metadata) == b"in"
        other: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Other/Unary")
        with pytest.raises(grpc.RpcError) as failed:
            other(b"", timeout=PATIENCE)
        assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert [line["status"] for line in gateway.logged(4, lambda line: True)] == [401, 401, 200, 404]


def test_a_gigabyte_each_way_takes_no_memory(
    serve: Serve, ports: tuple[int, int], authority: trustme.CA
) -> None:
    gateway = serve(configuration(ports[0], "grpc", authority))
    part = bytes(LARGE)
    with channel_to(gateway) as channel:
        count: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary("/test.Echo/Count")
        assert int(count((part for _ in range(COUNT)), timeout=PATIENCE)) == COUNT * LARGE
        repeat: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream("/test.Echo/Repeat")
        length = sum(len(part) for part in repeat(str(COUNT).encode(), timeout=PATIENCE))
        assert length == COUNT * LARGE
    assert gateway.memory_peak() < MEMORY


def test_a_reload_costs_no_call(serve: Serve, ports: tuple[int, int], authority: trustme.CA) -> None:
    settings = configuration(ports[0], "grpc", authority)
    gateway = serve(settings)
    stop = threading.Event()
    codes: list[grpc.StatusCode] = []

    def load(channel: grpc.Channel) -> None:
        unary: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Unary")
        while not stop.is_set():
            try:
                _, call = unary.with_call(b"x", timeout=PATIENCE, metadata=(("x-own", "1"),))
                codes.append(call.code())
            except grpc.RpcError as error:
                codes.append(error.code())

    with channel_to(gateway) as channel:
        asked = threading.Semaphore(1)
        chat: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/test.Echo/Chat")
        answers = chat(b"still here" for _ in iter(lambda: asked.acquire(timeout=PATIENCE), False))
        assert next(answers) == b"still here!"
        threads = [threading.Thread(target=load, args=[channel]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(5):
            settings["routes"].append({"uri": f"/new/{number}", "upstream": {"nodes": {"127.0.0.1:1": 1}}})
            gateway.rewrite(settings)
            asked.release()
            assert next(answers) == b"still here!"
        stop.set()
        for thread in threads:
            thread.join()
        answers.cancel()
        asked.release()
    assert set(codes) == {grpc.StatusCode.OK}
