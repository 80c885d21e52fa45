"""What feed readers and caches rely on, asked of the running server over a real socket."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import brotli
import feedparser
import httpx2 as httpx
import pytest
from fleet.newsroom import Newsroom, newsroom
from flows.house import topic_rules
from starlette.testclient import TestClient

from publisher.web.server import make_asgi

FEEDS = ("feeds/all.atom", "feeds/all.rss", "feeds/all.json", "feeds.opml")
CODINGS = {"identity": bytes, "gzip": gzip.decompress, "br": brotli.decompress}


@pytest.fixture
def office(tmp_path: Path, sqlite_url: str) -> Iterator[Newsroom]:
    office = newsroom(tmp_path, sqlite_url)
    for number in range(6):
        office.house.article(f"Article {number}", f"News {number} on environment.", id=number)
    office.run()
    with office.serving():
        yield office
    office.house.app.close()


def ask(office: Newsroom, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """One request without any help of the client's: its bytes come as they were sent."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    plain = httpx.Client(headers={"Accept-Encoding": "identity"})
    with plain as client, client.stream(method, office.url(path), headers=named) as answer:
        answer._content = b"".join(answer.iter_raw())
        return answer


@pytest.mark.parametrize("path", FEEDS)
def test_every_form_of_if_none_match_is_understood_and_goes_before_the_date(office: Newsroom, path: str) -> None:
    first = ask(office, path)
    etag, date = first.headers["etag"], first.headers["last-modified"]
    assert etag.startswith('"')
    for known in (etag, f"W/{etag}", f'"other", {etag}', f'"other",W/{etag}', "*"):
        assert ask(office, path, If_None_Match=known).status_code == 304, known
    assert ask(office, path, If_Modified_Since=date).status_code == 304
    assert ask(office, path, If_None_Match='"other"', If_Modified_Since=date).status_code == 200


@pytest.mark.parametrize("path", FEEDS)
def test_304_says_what_a_cache_has_to_know_and_nothing_else(office: Newsroom, path: str) -> None:
    first = ask(office, path)
    answer = ask(office, path, If_None_Match=first.headers["etag"])
    assert answer.content == b""
    for name in ("etag", "cache-control", "vary", "last-modified"):
        assert answer.headers[name] == first.headers[name]
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("path", FEEDS)
def test_head_is_get_without_the_bytes_in_every_coding(office: Newsroom, path: str, coding: str) -> None:
    full, head = (ask(office, path, method, Accept_Encoding=coding) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (200, b"")
    without_date = [{name: value for name, value in one.headers.items() if name != "date"} for one in (full, head)]
    assert without_date[0] == without_date[1]
    assert int(full.headers["content-length"]) == len(full.content)


@pytest.mark.parametrize("path", FEEDS)
def test_every_coding_holds_the_same_document_under_an_etag_of_its_own(office: Newsroom, path: str) -> None:
    published = (office.house.site / path).read_bytes()
    etags = set()
    for coding, unpacked in CODINGS.items():
        answer = ask(office, path, Accept_Encoding=coding)
        assert unpacked(answer.content) == published
        assert answer.headers.get("content-encoding", "identity") == coding
        assert "accept-encoding" in answer.headers["vary"].lower()
        etags.add(answer.headers["etag"])
        assert ask(office, path, Accept_Encoding=coding, If_None_Match=answer.headers["etag"]).status_code == 304
    assert len(etags) == len(CODINGS)
    assert "content-encoding" not in ask(office, path, Accept_Encoding="gzip;q=0, br;q=0").headers


@pytest.mark.parametrize("path", FEEDS)
def test_no_answer_sets_a_cookie_and_a_query_makes_no_other_document(office: Newsroom, path: str) -> None:
    plain, junk = ask(office, path), ask(office, f"{path}?utm_source=x&t=123")
    assert junk.content == plain.content
    assert junk.headers["etag"] == plain.headers["etag"]
    assert "set-cookie" not in plain.headers | junk.headers


def test_the_date_rises_with_the_bytes_even_when_the_clock_stands_still(office: Newsroom) -> None:
    dates, etags = [], []
    for number in range(3):
        office.house.article("Article 1", f"Corrected for time {number} on environment.", id=1)
        office.run(days=0)
        answer = ask(office, "feeds/all.atom")
        dates.append(parsedate_to_datetime(answer.headers["last-modified"]))
        etags.append(answer.headers["etag"])
    assert dates == sorted(set(dates))
    assert len(set(etags)) == 3


def test_who_asks_for_a_feed_s_changes_gets_the_new_entries_only(office: Newsroom) -> None:
    first = ask(office, "feeds/all.atom")
    office.house.article("One more", "New on environment.", id=99)
    office.run()
    known = {"If_None_Match": first.headers["etag"]}
    delta = ask(office, "feeds/all.atom", A_IM="feed", **known)
    full = ask(office, "feeds/all.atom")
    assert (delta.status_code, delta.headers["im"]) == (226, "feed")
    assert delta.headers["etag"] == full.headers["etag"]
    assert "no-store" in delta.headers["cache-control"] and "im" in delta.headers["cache-control"]
    assert {"a-im", "if-none-match"} <= {name.strip().lower() for name in delta.headers["vary"].split(",")}
    assert [entry.title for entry in feedparser.parse(delta.content).entries] == ["One more"]
    assert ask(office, "feeds/all.atom", **known).status_code == 200
    assert ask(office, "feeds/all.atom", A_IM="feed", If_None_Match='"unknown"').status_code == 200
    assert ask(office, "feeds/all.atom", A_IM="feed", If_None_Match=delta.headers["etag"]).status_code == 304


def test_a_closed_topic_s_feed_is_gone_and_one_that_never_was_is_not_found(tmp_path: Path, sqlite_url: str) -> None:
    office = newsroom(tmp_path, sqlite_url)
    office.house.article("Seizure", "A seizure of drugs.", id=1)
    office.run()
    office.house.rebuild(topics={slug: rule for slug, rule in topic_rules().items() if slug != "drugs"})
    office.run()
    with office.serving():
        assert ask(office, "feeds/drugs.atom").status_code == 410
        assert ask(office, "feeds/never.atom").status_code == 404
    office.house.app.close()


def test_who_goes_on_after_a_burst_is_told_how_many_seconds_to_wait(tmp_path: Path, sqlite_url: str) -> None:
    office = newsroom(tmp_path, sqlite_url)
    office.house.article("Article", "News on environment.")
    office.run()
    application = make_asgi(office.house.app)
    with TestClient(application, client=("192.0.2.1", 50000)) as client:
        for path in FEEDS * 5:  # who subscribes fetches a feed some times, and everybody may take in the whole list
            assert client.get(path).status_code == 200
        answers = [client.get("feeds/all.atom") for _ in range(400)]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    assert {answer.status_code for answer in refused} == {429}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    with TestClient(application, client=("192.0.2.2", 50000)) as somebody_else:
        assert somebody_else.get("feeds/all.atom").status_code == 200
    office.house.app.close()
