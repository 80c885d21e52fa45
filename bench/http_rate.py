"""Feed requests per second: our server in one process against nginx with one worker, the same files, the same wrk.

    .venv/bin/python bench/http_rate.py [--seconds 5]

Both serve one published folder on loopback; wrk asks for one feed with 32 kept connections. Prints a table for
docs/performance.md. nginx and wrk are Debian packages.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import corpus
import httpx2

from publisher.app import build
from publisher.config import load
from publisher.flows.new_site import make_site
from publisher.flows.run import Order, publish

ARTICLES = 600
CONNECTIONS = 32
ROUNDS = 3
FEED = "feeds/environment.atom"
GZIP = {"Accept-Encoding": "gzip"}
CASES = (("200, gzip", GZIP, False), ("200, plain", {}, False), ("304", GZIP, True))

NGINX = """
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    types {{ application/atom+xml atom; }}
    open_file_cache {cache};
    server {{
        listen 127.0.0.1:{port};
        root {root};
        gzip_static on;
        gzip_vary on;
        add_header Cache-Control "public, max-age=300";
    }}
}}
"""


@dataclass(frozen=True)
class Server:
    url: str
    pid: int


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=int, default=5)
    seconds = arguments.parse_args().seconds
    for tool in ("nginx", "wrk"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed: apt-get install -y nginx wrk")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        root = _site(folder)
        with _ours(folder) as ours, _nginx(folder, root, "off") as nginx, _nginx(folder, root, "max=100") as cached:
            print(f"{FEED}: {(root / FEED).stat().st_size} bytes, {(root / (FEED + '.gz')).stat().st_size} with gzip")
            print("| answer | server | requests/s | CPU per request | rate : nginx | CPU : nginx |")
            print("| --- | --- | ---: | ---: | ---: | ---: |")
            servers = {"publisher": ours, "nginx": nginx, "nginx, open_file_cache": cached}
            for label, headers, conditional in CASES:
                found = _measured(servers, headers, conditional, seconds)
                rate, cpu = found["nginx"]
                for name, (own_rate, own_cpu) in found.items():
                    print(
                        f"| {label} | {name} | {own_rate:,.0f} | {own_cpu * 1e6:.1f} us | "
                        f"{own_rate / rate:.2f} | {cpu / own_cpu:.2f} |"
                    )


def _measured(
    servers: dict[str, Server], headers: dict[str, str], conditional: bool, seconds: int
) -> dict[str, tuple[float, float]]:
    """Requests per second and seconds of CPU time per request, the medians of some rounds.

    Side by side: each round asks each server, so that a busy moment of the machine hits all of them. The CPU time is
    what a machine with other work to do can still measure well.
    """
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in servers}
    for _ in range(ROUNDS):
        for name, server in servers.items():
            sent = dict(headers)
            if conditional:
                with httpx2.Client() as client:
                    sent["If-None-Match"] = client.get(server.url, headers=sent).headers["etag"]
            before = _cpu_s(server.pid)
            rate, requests = _wrk(server.url, sent, seconds)
            found[name].append((rate, (_cpu_s(server.pid) - before) / requests))
    return {
        name: (statistics.median(rate for rate, _ in rounds), statistics.median(cpu for _, cpu in rounds))
        for name, rounds in found.items()
    }


def _wrk(url: str, headers: dict[str, str], seconds: int) -> tuple[float, int]:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    told = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in told, told
    rate, requests = re.search(r"Requests/sec:\s+([\d.]+)", told), re.search(r"(\d+) requests in", told)
    assert rate and requests, told
    return float(rate[1]), int(requests[1])


def _cpu_s(pid: int) -> float:
    """CPU time of a process and its children (nginx answers in a worker)."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if pid in {int(stat.parent.name), int(fields[1])}:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _site(folder: Path) -> Path:
    make_site(folder, with_articles=False, with_templates=False)
    (folder / "data/articles").mkdir(parents=True, exist_ok=True)
    corpus.write_json_lines(folder / "data/articles/all.jsonl", corpus.items(ARTICLES))
    app = build(load(folder / "config.toml", {}))
    asyncio.run(publish(app.parts, Order(digests=False)))
    app.close()
    return app.folder.root


@contextmanager
def _ours(folder: Path) -> Iterator[Server]:
    port = _free_port()
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "publisher", "serve", "--port", str(port)], cwd=folder, stdout=log, stderr=log
        )
    try:
        yield Server(_up(port), process.pid)
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def _nginx(folder: Path, root: Path, cache: str) -> Iterator[Server]:
    port = _free_port()
    place = folder / f"nginx-{port}"
    place.mkdir(mode=0o755)
    folder.chmod(0o755)  # its worker is another user
    config = place / "nginx.conf"
    config.write_text(NGINX.format(folder=place, port=port, root=root, cache=cache))
    process = subprocess.Popen(
        ["nginx", "-c", str(config), "-p", str(place), "-g", "daemon off;"], stderr=subprocess.DEVNULL
    )
    try:
        yield Server(_up(port), process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _up(port: int) -> str:
    url = f"http://127.0.0.1:{port}/{FEED}"
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if httpx2.get(url).status_code == 200:
                return url
        except httpx2.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"nothing answers at {url}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
