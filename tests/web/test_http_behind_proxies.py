"""The snippets of docs/serving.md, run by real web servers in front of the real app, where they are installed."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import pytest
import uvicorn

from publisher.app import App
from publisher.web.server import make_asgi

DOCS = Path(__file__).parents[2] / "docs/serving.md"
PATIENCE_S = 20
TYPES = {
    "/": "text/html; charset=utf-8",
    "/topics/environment/": "text/html; charset=utf-8",
    "/feeds/all.atom": "application/atom+xml; charset=utf-8",
    "/feeds/all.rss": "application/rss+xml; charset=utf-8",
    "/feeds/all.json": "application/feed+json; charset=utf-8",
    "/feeds.opml": "text/x-opml; charset=utf-8",
    "/assets/style.css": "text/css; charset=utf-8",
    "/assets/icon.svg": "image/svg+xml",
    "/assets/icon-144.png": "image/png",
}


def snippet(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    return found[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def wait_for(base: str, log: Path | None = None) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            httpx.get(base + "/feeds/all.atom")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text() if log and log.exists() else f"nothing answers at {base}")


@pytest.fixture
def server(app: App) -> Iterator[str]:
    """The app behind a real uvicorn, with the parts that `publisher serve` uses."""
    config = uvicorn.Config(make_asgi(app), port=free_port(), log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    base = f"http://127.0.0.1:{config.port}"
    try:
        wait_for(base)
        yield base
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)


@contextmanager
def running(command: list[str], base: str, log: Path) -> Iterator[str]:
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_for(base, log)
        yield base
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def opened_up(folder: Path) -> None:
    """The workers of a web server are another user."""
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)


@pytest.fixture
def nginx(app: App, server: str, tmp_path: Path) -> Iterator[str]:
    text = snippet("nginx").replace("http://127.0.0.1:8000", server)
    with running_nginx(text.replace("/srv/customs/data/site", str(app.folder.root)), app, tmp_path) as base:
        yield base


@contextmanager
def running_nginx(text: str, app: App, tmp_path: Path) -> Iterator[str]:
    """nginx with the `server` of `text`, on a port of its own instead of 80."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    port, place = free_port(), tmp_path / "nginx"
    place.mkdir()
    opened_up(app.folder.root)
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
    if not list(Path("/usr/lib/nginx/modules").glob("*brotli_static*")):
        text = text.replace("brotli_static on;", "")
    modules = "".join(f"load_module {path};\n" for path in Path("/usr/lib/nginx/modules").glob("*brotli_static*"))
    paths = "".join(
        f"{kind}_temp_path {place}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = place / "nginx.conf"
    config.write_text(
        f"{modules}pid {place}/pid;\nerror_log {place}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}{text}}}\n"
    )
    command = ["nginx", "-c", str(config), "-p", str(place), "-e", str(place / "error.log"), "-g", "daemon off;"]
    with running(command, f"http://127.0.0.1:{port}", place / "log") as base:
        yield base


@pytest.fixture
def caddy(app: App, server: str, tmp_path: Path) -> Iterator[str]:
    if shutil.which("caddy") is None:
        pytest.skip("caddy is not installed")
    port = free_port()
    text = snippet("caddy").replace("customs.example {", f"http://127.0.0.1:{port} {{", 1)
    text = text.replace("/srv/customs/data/site", str(app.folder.root)).replace("127.0.0.1:8000", server[7:])
    config = tmp_path / "Caddyfile"
    config.write_text("{\n\tadmin off\n}\n" + text)
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(config)]
    with running(command, f"http://127.0.0.1:{port}", tmp_path / "caddy.log") as base:
        yield base


def test_a_server_of_files_alone_leads_from_the_newest_archive_to_the_current_feed(app: App, tmp_path: Path) -> None:
    archive = app.folder.root / "feeds/environment/archive-1.atom"
    archive.parent.mkdir()
    archive.write_bytes(b"<feed/>")
    text = f"server {{ listen 80; root {app.folder.root}; {snippet('static')} }}"
    with running_nginx(text, app, tmp_path) as base:
        following = httpx.get(f"{base}/feeds/environment/archive-2.atom")
        assert following.status_code == 307
        assert following.headers["location"].endswith("/feeds/environment.atom")
        assert following.headers["cache-control"] == "no-store"
        there = httpx.get(f"{base}/feeds/environment/archive-1.atom")
        assert (there.status_code, "immutable" in there.headers["cache-control"]) == (200, True)


@pytest.fixture(params=["server", "nginx", "caddy"])
def site(request: pytest.FixtureRequest) -> str:
    base: str = request.getfixturevalue(request.param)
    return base


def test_the_same_files_are_answered_for_alike_by_each_server(site: str, app: App) -> None:
    """One story for each, because starting one takes longer than asking it."""
    with httpx.Client(base_url=site, headers={"Accept-Encoding": "identity"}) as client:
        for path, media_type in TYPES.items():
            answer = client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (200, media_type), path
            assert int(answer.headers["cache-control"].partition("max-age=")[2].split(",")[0]) >= 60
            assert "set-cookie" not in answer.headers
        codings(client, app)
        conditions(client)
        others(client)


def codings(client: httpx.Client, app: App) -> None:
    content = (app.folder.root / "feeds/all.atom").read_bytes()
    etags = set()
    for coding in ("identity", "gzip"):
        with client.stream("GET", "/feeds/all.atom", headers={"Accept-Encoding": coding}) as answer:
            body = b"".join(answer.iter_raw())
        assert (gzip.decompress(body) if coding == "gzip" else body) == content
        assert answer.headers.get("content-encoding", "identity") == coding
        assert "accept-encoding" in answer.headers["vary"].lower()
        assert answer.headers["access-control-allow-origin"] == "*"
        etags.add(answer.headers["etag"])
    assert len(etags) == 2
    assert not any(etag.startswith("W/") for etag in etags)
    head = client.head("/feeds/all.atom")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(content)))


def conditions(client: httpx.Client) -> None:
    full = client.get("/feeds/all.atom", headers={"Accept-Encoding": "gzip"})
    known = {"Accept-Encoding": "gzip", "If-None-Match": full.headers["etag"]}
    for _ in range(3):
        short = client.get("/feeds/all.atom", headers=known)
        assert (short.status_code, short.content, short.headers["etag"]) == (304, b"", full.headers["etag"])
    old = {"If-None-Match": '"old"', "If-Modified-Since": full.headers["last-modified"]}
    assert client.get("/feeds/all.atom", headers=old).status_code == 200
    dated = client.get("/feeds/all.atom", headers={"If-Modified-Since": full.headers["last-modified"]})
    assert dated.status_code == 304


def others(client: httpx.Client) -> None:
    missing = client.get("/topics/no-such-topic/")
    assert (missing.status_code, "Page not found" in missing.text) == (404, True)
    moved = client.get("/topics/environment")
    assert (moved.status_code in {200, 301, 308}, moved.headers.get("location", "/topics/environment/")[-20:]) == (
        True,
        "/topics/environment/",
    )
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/feeds/environment+partnerships.atom").status_code == 200
    for hidden in ("/.drafts/lock", "/feeds/all.atom.gz"):
        assert client.get(hidden).status_code == 404
    news = client.get("/feeds/all.atom", headers={"A-IM": "feed", "If-None-Match": '"' + "0" * 32 + '"'})
    assert news.status_code == 200
    assert news.headers["etag"].count("-") == 0  # the app's own, so that it knows this version next time
