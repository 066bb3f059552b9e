"""`toolway serve` with an Admin API: first start, restart, refusals, TLS, file mode, import and export."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
import trustme

from .live import KEY, SETTINGS, live
from .serving import run, serving, write

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Serve
    from .upstream import Upstream

DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "Thing Store", "version": "1"},
    "servers": [{"url": "http://127.0.0.1:1"}],
    "paths": {
        "/things": {"get": {"operationId": "listThings", "responses": {"200": {"description": "All."}}}},
        "/bad": {"get": {"parameters": "none", "responses": {}}},
    },
}


def test_a_first_start_makes_a_key_that_holds_after_a_restart(tmp_path: Path, upstream: Upstream) -> None:
    path, folder = tmp_path / "settings.yaml", tmp_path / "data"
    write(path, {"gateway": SETTINGS})
    with serving(path, "--data", str(folder)) as gateway:
        line = gateway.said.wait_for("toolway: admin key: ")
        key = line.removeprefix("toolway: admin key: ")
        route = {"uri": "/kept", "upstream": {"nodes": {upstream.node: 1}}}
        url = f"{gateway.admin_origin}/apisix/admin/routes/1"
        assert httpx.put(url, json=route, headers={"X-API-KEY": key}, trust_env=False).status_code == 201
        assert httpx.get(url, trust_env=False).status_code == 401
    stored = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert key.encode() not in stored
    with serving(path, "--data", str(folder)) as gateway:
        assert not [line for line in gateway.said.so_far() if "admin key:" in line]
        url = f"{gateway.admin_origin}/apisix/admin/routes/1"
        assert httpx.get(url, headers={"X-API-KEY": key}, trust_env=False).json()["value"]["uri"] == "/kept"
        assert gateway.http.get("/kept").json() == {"ok": True}


def test_a_weak_key_refuses_to_start_where_others_could_reach_it(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    write(path, {"gateway": {**SETTINGS, "admin": "0.0.0.0:0"}})
    ran = run(
        "serve", "-c", str(path), "--data", str(tmp_path / "data"), environment={"TOOLWAY_ADMIN_KEY": "short"}
    )
    assert ran.returncode == 1
    assert "fewer than 20 characters" in ran.stderr
    assert "short" not in ran.stderr
    assert "listening on" not in ran.stderr


def test_settings_with_resources_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    write(path, {"gateway": SETTINGS, "upstreams": [{"id": "u", "nodes": {"127.0.0.1:1": 1}}]})
    ran = run("serve", "-c", str(path), "--data", str(tmp_path / "data"))
    assert ran.returncode == 2
    assert "toolway apply" in ran.stderr


def test_by_tls_with_client_certificates(tmp_path: Path) -> None:
    authority = trustme.CA()
    own, client = authority.issue_cert("localhost", "127.0.0.1"), authority.issue_cert("operator")
    own.private_key_pem.write_to_path(tmp_path / "key.pem")
    own.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    tls = {"cert": "cert.pem", "key": "key.pem", "client_ca": "ca.pem"}
    settings = {**SETTINGS, "admin": {"listen": "127.0.0.1:0", "tls": tls}}
    path = tmp_path / "settings.yaml"
    write(path, {"gateway": settings})
    with serving(path, "--data", str(tmp_path / "data"), environment={"TOOLWAY_ADMIN_KEY": KEY}) as gateway:
        address = str(gateway.admin_origin).removeprefix("http://").removesuffix(" by TLS")
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        context.load_cert_chain(tmp_path / "client.pem")
        with httpx.Client(verify=context, trust_env=False) as http:
            answer = http.get(f"https://{address}/apisix/admin/routes", headers={"X-API-KEY": KEY})
        assert answer.json() == {"total": 0, "list": []}
        options = ["--admin", f"https://{address}", "--ca", str(tmp_path / "ca.pem")]
        dumped = run(
            "dump", *options, "--cert", str(tmp_path / "client.pem"), environment={"TOOLWAY_ADMIN_KEY": KEY}
        )
        assert (dumped.returncode, dumped.stdout) == (0, "{}\n")
        unknown = run("dump", *options, environment={"TOOLWAY_ADMIN_KEY": KEY})
        assert unknown.returncode == 1


def test_in_file_mode_the_admin_api_only_reads_and_says_so(serve: Serve, upstream: Upstream) -> None:
    configuration = {
        "gateway": {**SETTINGS},
        "upstreams": [{"id": "u", "nodes": {upstream.node: 1}}],
        "routes": [{"uri": "/a", "upstream_id": "u", "labels": {"team": "one"}}],
        "consumers": [
            {
                "username": "jack",
                "plugins": {"key-auth": {"key": "a-literal-key-of-jack"}},
                "credentials": [{"id": "c", "plugins": {"key-auth": {"key": "${JACK}"}}}],
            }
        ],
        "apis": [{"id": "things", "spec": DOCUMENT}],
        "apps": [{"id": "shop", "operations": ["things:*"]}],
    }
    environment = {"TOOLWAY_ADMIN_KEY": KEY, "JACK": "another-key-of-jack"}
    gateway = serve(configuration, environment=environment)
    with httpx.Client(
        base_url=f"{gateway.admin_origin}/apisix/admin", headers={"X-API-KEY": KEY}, trust_env=False
    ) as admin:
        route = admin.get("/routes").json()["list"][0]["value"]
        assert (route["uri"], route["id"][:6]) == ("/a", "route-")
        assert admin.get(f"/routes/{route['id']}").json()["value"] == route
        assert admin.get("/routes?label=team").json()["total"] == 1
        everything = admin.get("/consumers/jack").text + admin.get("/consumers/jack/credentials").text
        assert everything.count('"key":"***"') == 2
        assert admin.get("/apps/shop/export/mcp-tools").json()[0]["name"] == "listThings"
        assert admin.post("/schema/validate/routes", json={"uri": "x", "upstream_id": "u"}).status_code == 400
        assert admin.post("/schema/validate/routes", json={"uri": "/x", "upstream_id": "u"}).json() == {
            "valid": True
        }
        for method, where in (("PUT", "/routes/1"), ("DELETE", f"/routes/{route['id']}"), ("POST", "/apply")):
            answer = admin.request(method, where, json={})
            assert answer.status_code == 405
            assert "read-only" in answer.json()["error_msg"]
            assert answer.headers["allow"] == "GET, HEAD"
        assert admin.get("/revisions").status_code == 404
        gateway.rewrite({**configuration, "routes": []})
        assert admin.get("/routes").json() == {"total": 0, "list": []}


def test_a_document_is_imported_and_published(tmp_path: Path, upstream: Upstream) -> None:
    with live(tmp_path / "data") as gateway:
        document = {**DOCUMENT, "servers": [{"url": f"http://{upstream.node}"}]}
        made = gateway.curl("POST", "/apis", document)
        assert made.status_code == 201, made.text
        assert made.json()["key"] == "/apisix/apis/thing-store"
        assert [operation["id"] for operation in made.json()["report"]["operations"]] == ["listThings"]
        assert made.json()["report"]["set_aside"][0]["operation"] == "GET /bad"
        again = gateway.curl("POST", "/apis", {"spec": document, "prefix": "/second"})
        assert again.json()["key"] == "/apisix/apis/thing-store-2"
        assert gateway.http.get("/things").json() == {"ok": True}
        assert gateway.http.get("/second/things").json() == {"ok": True}
        app = {"id": "shop", "operations": ["thing-store:*"], "base_url": "https://shop.example.com"}
        assert gateway.curl("PUT", "/apps/shop", app).status_code == 201
        for name, part in (
            ("manifest", "schema_version"),
            ("openapi", "openapi"),
            ("mcp-tools", "listThings"),
            ("openai-tools", "function"),
        ):
            exported = gateway.curl("GET", f"/apps/shop/export/{name}")
            assert exported.status_code == 200
            assert part in exported.text
        as_yaml = gateway.curl("GET", "/apps/shop/export/openapi?yaml=true")
        assert as_yaml.headers["content-type"].startswith("application/yaml")
        assert gateway.curl("GET", "/apps/shop/export/pdf").status_code in (400, 404)
        assert gateway.http.get("/openapi.yaml").status_code == 200
        no_document = gateway.curl("POST", "/apis", {"spec": "/etc/passwd"})
        assert no_document.status_code == 400
        wrong = gateway.curl("POST", "/apis", {"openapi": "1.0", "paths": {}})
        assert wrong.json()["problems"][0]["pointer"] == "/spec"


def test_a_file_is_applied_from_the_command_line(tmp_path: Path, upstream: Upstream) -> None:
    file = tmp_path / "wanted.yaml"
    (tmp_path / "things.yaml").write_text(
        "openapi: 3.0.3\ninfo: {title: Things, version: '1'}\npaths:\n  /things:\n    get:\n"
        "      operationId: listThings\n      responses: {'200': {description: All.}}\n"
    )
    file.write_text(
        'upstreams:\n  - {id: u, nodes: {"${NODE}": 1}}\n'
        "routes:\n  - {uri: /seed, upstream_id: u}\n"
        "apis:\n  - {id: things, spec: things.yaml, upstream_id: u}\n"
    )
    with live(tmp_path / "data") as gateway:
        (tmp_path / "key").write_text(KEY + "\n")
        options = ["-f", str(file), "--admin", gateway.admin_url, "--key-file", str(tmp_path / "key")]
        environment = {"NODE": upstream.node}
        planned = run("plan", *options, environment=environment)
        assert planned.returncode == 3, planned.stderr
        assert "+ api things" in planned.stdout
        assert "3 to make, 0 to change, 0 to delete" in planned.stdout
        applied = run("apply", *options, environment=environment)
        assert (applied.returncode, applied.stderr) == (0, "")
        assert gateway.http.get("/seed").json() == {"ok": True}
        assert gateway.http.get("/things").json() == {"ok": True}
        assert run("plan", *options, environment=environment).returncode == 0
        dump = run("dump", "--admin", gateway.admin_url, environment={"TOOLWAY_ADMIN_KEY": KEY})
        (tmp_path / "dump.yaml").write_text(dump.stdout)
        checked = run("check", "-c", str(tmp_path / "dump.yaml"))
        assert checked.returncode == 0, checked.stderr
        unchanged = ["plan", "-f", str(tmp_path / "dump.yaml"), *options[2:]]
        assert run(*unchanged).returncode == 0
        file.write_text("routes:\n  - id: wrong\n    uri: no-slash\n    upstream_id: u\n")
        refused = run("apply", *options)
        assert refused.returncode == 2
        assert "wanted.yaml:3:10: expected a path that begins with /" in refused.stderr
        assert gateway.http.get("/seed").status_code == 200
