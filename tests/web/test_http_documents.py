"""Documents over HTTP: entity tags, codings, ranges, caching, and what pages say about security."""

from __future__ import annotations

import gzip
import os
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import brotli
import httpx2
import pytest
from starlette.testclient import TestClient

from publisher.app import App
from publisher.web.file_cache import LARGEST

FEED = "/feeds/all.atom"
CODINGS = ("identity", "gzip", "br")


def raw(client: TestClient, path: str, **headers: str) -> tuple[httpx2.Response, bytes]:
    """The answer and its body as it came over the wire."""
    sent = {"Accept-Encoding": "identity"} | {name.replace("_", "-"): value for name, value in headers.items()}
    with client.stream("GET", path, headers=sent) as answer:
        return answer, b"".join(answer.iter_raw())


@pytest.mark.parametrize(
    "path", [FEED, "/feeds/all.rss", "/feeds/all.json", "/", "/topics/environment/", "/feeds.opml"]
)
def test_each_coding_has_bytes_and_an_entity_tag_of_its_own(client: TestClient, path: str) -> None:
    plain, content = raw(client, path)
    packed, gzipped = raw(client, path, Accept_Encoding="gzip")
    smallest, brotlied = raw(client, path, Accept_Encoding="gzip, deflate, br")
    assert (gzip.decompress(gzipped), brotli.decompress(brotlied)) == (content, content)
    assert [answer.headers.get("content-encoding") for answer in (plain, packed, smallest)] == [None, "gzip", "br"]
    etags = [answer.headers["etag"] for answer in (plain, packed, smallest)]
    assert len(set(etags)) == 3
    assert all(etag.startswith('"') and etag.endswith('"') for etag in etags)
    assert all(answer.headers["vary"] == "Accept-Encoding" for answer in (plain, packed, smallest))
    assert len({answer.headers["last-modified"] for answer in (plain, packed, smallest)}) == 1


def test_an_article_page_is_sent_with_gzip_to_who_would_like_brotli_better(client: TestClient, app: App) -> None:
    slug = next((app.folder.root / "articles").iterdir()).name
    answer, _ = raw(client, f"/articles/{slug}/", Accept_Encoding="br, gzip")
    assert answer.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("coding", CODINGS)
def test_a_known_version_is_answered_304_with_the_same_headers_and_no_body(client: TestClient, coding: str) -> None:
    full, _ = raw(client, FEED, Accept_Encoding=coding)
    for tag in (full.headers["etag"], f'"x", W/{full.headers["etag"]}', "*"):
        short, body = raw(client, FEED, Accept_Encoding=coding, If_None_Match=tag)
        assert (short.status_code, body) == (304, b"")
        for name in ("etag", "cache-control", "vary", "last-modified"):
            assert short.headers[name] == full.headers[name]
        assert "content-length" not in short.headers


def test_a_page_that_was_not_modified_keeps_its_policy(client: TestClient) -> None:
    """A browser puts the headers of a 304 in the place of those it kept."""
    full, _ = raw(client, "/")
    short, _ = raw(client, "/", If_None_Match=full.headers["etag"])
    assert "https:" in full.headers["content-security-policy"]
    assert short.headers.get_list("content-security-policy") == full.headers.get_list("content-security-policy")


def test_who_holds_another_coding_that_it_still_takes_holds_the_present_version(client: TestClient) -> None:
    plain, _ = raw(client, FEED)
    packed, _ = raw(client, FEED, Accept_Encoding="gzip")
    short, _ = raw(client, FEED, Accept_Encoding="gzip", If_None_Match=plain.headers["etag"])
    assert (short.status_code, short.headers["etag"]) == (304, plain.headers["etag"])
    full, _ = raw(client, FEED, Accept_Encoding="identity", If_None_Match=packed.headers["etag"])
    assert full.status_code == 200  # it could not read what it is said to hold


def test_the_date_is_when_the_bytes_were_first_written(client: TestClient, app: App) -> None:
    answer = client.get(FEED)
    with app.store.read() as tx:
        written = tx.documents.some(["feeds/all.atom"])["feeds/all.atom"].first_written
    assert parsedate_to_datetime(answer.headers["last-modified"]) == written
    for moment, status in ((written, 304), (written + timedelta(days=1), 304), (written - timedelta(seconds=1), 200)):
        date = moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
        assert client.get(FEED, headers={"If-Modified-Since": date}).status_code == status


@pytest.mark.parametrize("headers", [{}, {"Accept-Encoding": "br"}, {"If-None-Match": "*"}, {"If-Match": '"old"'}])
@pytest.mark.parametrize("path", [FEED, "/", "/assets/style.css", "/no/such/page"])
def test_head_says_what_get_says(client: TestClient, path: str, headers: dict[str, str]) -> None:
    full, head = client.get(path, headers=headers), client.head(path, headers=headers)
    assert head.status_code == full.status_code
    assert head.headers == full.headers
    assert head.content == b""


@pytest.mark.parametrize("wanted", ["bytes=0-9", "bytes=99999999-"])
@pytest.mark.parametrize("path", [FEED, "/feeds/environment+partnerships.atom", "/assets/film.bin"])
def test_head_tells_of_the_whole_whatever_part_is_asked_for(
    client: TestClient, app: App, path: str, wanted: str
) -> None:
    """A document in memory, a feed made on demand, a file too large to be kept."""
    with (app.folder.root / "assets/film.bin").open("wb") as film:
        film.truncate(LARGEST + 1)
    head = client.head(path, headers={"Range": wanted})
    assert (head.status_code, "content-range" in head.headers) == (200, False)
    assert head.headers["content-length"] == client.head(path).headers["content-length"]
    assert client.get(path, headers={"Range": wanted}).status_code in {206, 416}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", [FEED, "/", "/no/such/page"])
def test_documents_can_only_be_read(client: TestClient, path: str, method: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_part_is_sent_to_who_asks_for_one(client: TestClient) -> None:
    full, content = raw(client, FEED)
    part, body = raw(client, FEED, Range="bytes=10-19", If_Range=full.headers["etag"])
    assert (part.status_code, body) == (206, content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(content)}"
    assert (part.headers["content-length"], part.headers["etag"]) == ("10", full.headers["etag"])
    assert raw(client, FEED, Range="bytes=10-19", If_Range='"old"')[1] == content
    behind, _ = raw(client, FEED, Range=f"bytes={len(content)}-")
    assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{len(content)}")


def test_who_takes_no_coding_at_all_and_who_names_another_version_is_told(client: TestClient) -> None:
    assert raw(client, FEED, Accept_Encoding="*;q=0")[0].status_code == 406
    assert raw(client, FEED, If_Match='"old"')[0].status_code == 412


def test_a_document_lasts_until_the_next_run_and_a_versioned_asset_for_ever(client: TestClient) -> None:
    page = client.get("/")
    style = "/assets/style.css?v=" + page.text.split("style.css?v=", 1)[1].split('"', 1)[0]
    assert page.headers["cache-control"] == client.get(FEED).headers["cache-control"] == "public, max-age=1800"
    assert client.get(style).headers["cache-control"] == "public, max-age=31536000, immutable"
    for other in ("/assets/style.css", "/assets/style.css?v=00000000"):
        assert "immutable" not in client.get(other).headers["cache-control"]


def test_a_frozen_archive_lasts_for_ever(client: TestClient, app: App) -> None:
    archive = app.folder.root / "feeds/environment/archive-1.atom"
    archive.parent.mkdir(exist_ok=True)
    archive.write_bytes((app.folder.root / "feeds/environment.atom").read_bytes())
    answer = client.get("/feeds/environment/archive-1.atom")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("application/atom+xml")


def test_the_query_is_no_part_of_an_address_and_nobody_gets_a_cookie(client: TestClient) -> None:
    plain, queried = client.get(FEED), client.get(FEED + "?utm_source=x&b=1")
    assert (queried.content, queried.headers) == (plain.content, plain.headers)
    for path in (FEED, "/", "/assets/style.css", "/no/such/page", "/topics/environment"):
        assert "set-cookie" not in client.get(path).headers


def test_pages_allow_nothing_but_their_own_style_and_pictures(client: TestClient) -> None:
    for path in ("/", "/topics/environment/", "/issues/weekly-1/", "/no/such/page"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; style-src 'self'; img-src 'self' https:; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


def test_programs_in_any_page_may_read_feeds(client: TestClient) -> None:
    for path in (FEED, "/feeds/all.rss", "/feeds/all.json", "/feeds.opml"):
        full = client.get(path)
        short = client.get(path, headers={"If-None-Match": full.headers["etag"]})
        assert full.headers["access-control-allow-origin"] == short.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in client.get("/").headers


def test_a_new_version_is_seen_at_once_and_with_all_its_codings(client: TestClient, app: App) -> None:
    before = client.get(FEED, headers={"Accept-Encoding": "br"})
    file = app.folder.root / "feeds/all.atom"
    changed = file.read_bytes().replace(b"</feed>", b"<!-- new --></feed>")
    for suffix, content in ((".gz", gzip.compress(changed)), (".br", brotli.compress(changed)), ("", changed)):
        draft = Path(f"{file}{suffix}.new")
        draft.write_bytes(content)
        os.utime(draft, (before_s := file.stat().st_mtime + 5, before_s))
        draft.replace(f"{file}{suffix}")
        answer = client.get(FEED, headers={"Accept-Encoding": "br", "If-None-Match": before.headers["etag"]})
        assert answer.status_code == (200 if suffix == "" else 304)  # never a mixture of old and new
    assert (answer.content, answer.headers["content-encoding"]) == (changed, "br")


def test_a_sibling_of_other_bytes_is_not_sent(client: TestClient, app: App) -> None:
    file = app.folder.root / "feeds/all.atom"
    file.write_bytes(b"<feed/>")  # somebody changed it by hand
    answer = client.get(FEED, headers={"Accept-Encoding": "gzip, br"})
    assert answer.content == b"<feed/>"
    assert "content-encoding" not in answer.headers


def test_what_is_too_large_to_keep_is_sent_from_the_disk(client: TestClient, app: App) -> None:
    content = os.urandom(1024) * 9 * 1024
    (app.folder.root / "film.mp4").write_bytes(content)
    answer = client.get("/film.mp4")
    assert (answer.headers["content-type"], len(answer.content)) == ("video/mp4", len(content))
    assert answer.headers["cache-control"] == "public, max-age=1800"


@pytest.mark.parametrize(
    "path",
    ["/.drafts/lock", "/%2e%2e/config.toml", "/..%2fconfig.toml", "/feeds//all.atom", "/feeds/all.atom.gz",
     "/feeds\\all.atom", "/feeds/all.atom/", "/index.html.br", "/%00", "/" + "a" * 5000, "//feeds/all.atom",
     "/feeds/\udcff"],
)  # fmt: skip
def test_only_documents_can_be_had(client: TestClient, path: str) -> None:
    scope_path = path.encode("utf-8", "surrogateescape").decode("latin-1")
    assert client.get(scope_path).status_code == 404


def test_a_link_leads_nobody_out_of_the_folder(client: TestClient, app: App, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (app.folder.root / "link.txt").symlink_to(tmp_path / "secret.txt")
    assert client.get("/link.txt").status_code == 404
