"""docs/switching.md: what it says to save and to run makes articles of what Ghost and Hugo have."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest

from publisher.model import RawArticle
from publisher.sources import places
from publisher.sources.admission import Admission

GUIDE = (Path(__file__).parent.parent / "docs" / "switching.md").read_text(encoding="utf-8")
ADMISSION = Admission(now=datetime(2026, 3, 2, tzinfo=UTC), topics=frozenset({"environment"}))
POST = {"type": "post", "status": "published", "visibility": "public", "published_at": "2024-05-06T07:08:09.000Z"}
EMPTY = {"custom_excerpt": None, "feature_image": None}
GHOST = {
    "posts": [
        POST
        | EMPTY
        | {"id": "b1", "title": "Ports", "slug": "ports", "html": '<a href="__GHOST_URL__/waste/">Waste</a>'},
        POST | EMPTY | {"id": "b2", "title": "Draft", "slug": "draft", "html": "<p>x</p>", "status": "draft"},
        POST | EMPTY | {"id": "b3", "title": "For payers", "slug": "paid", "html": "<p>x</p>", "visibility": "paid"},
    ],
    "tags": [{"id": "t1", "slug": "green"}, {"id": "t2", "slug": "office"}],
    "posts_tags": [{"post_id": "b1", "tag_id": "t1"}, {"post_id": "b1", "tag_id": "t2"}],
}
HUGO = {
    "config.toml": 'baseURL = "https://news.example/"\n',
    "content/_index.md": "---\ntitle: Home\n---\n",
    "content/posts/ports/index.md": '+++\ntitle = "Ports"\ndate = 2024-05-06T07:08:09Z\n+++\n{{< ref "ports" >}}\n',
    "content/posts/waste.md": "---\ntitle: Waste\ndate: 2023-01-02\nexpiryDate: 2024-01-01\n---\nText.\n",
}


def block(marker: str) -> str:
    found = re.search(rf"<!-- {marker} -->\n```\w*\n(.*?)```", GUIDE, re.DOTALL)
    assert found
    return found[1]


def articles(written: Path) -> list[RawArticle]:
    return [one for one in places.read(written, admission=ADMISSION) if isinstance(one, RawArticle)]


@pytest.mark.skipif(not shutil.which("jq"), reason="needs jq")
def test_posts_of_ghost_that_anybody_may_read_come_over(tmp_path: Path) -> None:
    (tmp_path / "ghost.jq").write_text(block("ghost.jq"), encoding="utf-8")
    (tmp_path / "ghost.json").write_text(json.dumps({"db": [{"data": GHOST}]}), encoding="utf-8")
    command = ["jq", "-c", "--arg", "site", "https://news.example", "--argjson", "topics", '{"green": "environment"}']
    done = subprocess.run([*command, "-f", "ghost.jq", "ghost.json"], cwd=tmp_path, capture_output=True, check=True)
    (tmp_path / "articles.jsonl").write_bytes(done.stdout)
    (article,) = articles(tmp_path / "articles.jsonl")
    assert (article.external_id, article.source_url) == ("b1", "https://news.example/ports/")
    assert article.published == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert article.topics == ("environment",) and "https://news.example/waste/" in article.body


@pytest.mark.skipif(not shutil.which("hugo"), reason="needs hugo")
def test_hugo_itself_writes_what_is_published_there(tmp_path: Path) -> None:
    toml = re.search(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    assert toml
    for name, text in (HUGO | {"move/index.json": block("hugo"), "move.toml": toml[1]}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = re.search(r"^(hugo .*)$", GUIDE, re.MULTILINE)
    assert found
    subprocess.run([*found[1].split(), "--quiet"], cwd=tmp_path, check=True)
    shutil.copy(tmp_path / "moved" / "index.json", tmp_path / "articles.jsonl")
    (article,) = articles(tmp_path / "articles.jsonl")
    assert (article.external_id, article.source_url) == ("/posts/ports/", "https://news.example/posts/ports/")
    assert article.published == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert "https://news.example/posts/" in article.text, "what a shortcode makes"


@pytest.mark.skipif(not (shutil.which("jq") and shutil.which("nginx")), reason="needs jq and nginx")
def test_old_addresses_lead_to_the_pages_of_the_articles_however_long_they_are_and_in_any_letters(
    tmp_path: Path,
) -> None:
    old = ["/caf%C3%A9/", f"/{'a-long-name-' * 20}/", "/2024/?p=7"]
    listed = [{"slug": f"article-{n}", "source_url": f"https://old.example{path}"} for n, path in enumerate(old)]
    listed += [{"slug": "home", "source_url": "https://old.example/"}, {"slug": "none", "source_url": None}]
    query = re.search(r"jq -r '(.*)' > moved\.map", block("moved"))
    assert query
    moved = subprocess.run(["jq", "-r", query[1]], input=json.dumps(listed).encode(), capture_output=True, check=True)
    (tmp_path / "moved.map").write_bytes(moved.stdout)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    maps = block("nginx").replace("/etc/nginx/moved.map", str(tmp_path / "moved.map"))
    server = f"server {{ listen 127.0.0.1:{port}; access_log off; if ($moved) {{ return 301 $moved; }} return 404; }}"
    config = tmp_path / "nginx.conf"
    config.write_text(f"pid {tmp_path}/pid; events {{}}\nhttp {{\n{maps}{server}\n}}\n", encoding="utf-8")
    command = ["nginx", "-p", str(tmp_path), "-e", str(tmp_path / "log"), "-c", str(config)]
    subprocess.run(command, check=True)  # it goes on once it listens
    try:
        for path, status, to in [
            ("/caf%C3%A9/?from=mail", 301, "/articles/article-0/"),
            (old[1], 301, "/articles/article-1/"),
            ("/", 404, ""),
            ("/other/", 404, ""),
        ]:
            client = HTTPConnection("127.0.0.1", port, timeout=30)
            client.request("GET", path)
            answer = client.getresponse()
            assert (answer.status, (answer.getheader("Location") or "").endswith(to)) == (status, True), path
            client.close()
    finally:
        subprocess.run([*command, "-s", "stop"], check=True)
