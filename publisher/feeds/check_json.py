"""Whether bytes are a JSON Feed fit to be published: version 1.1 and what readers rely on. Floor: in `feeds`.

Rules are named by the member of the specification they are about.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from publisher.feeds.check_texts import (
    html_problem,
    implausible,
    is_web_address,
    out_of_order,
    rfc3339,
    too_big,
    whole_number,
)
from publisher.feeds.entry_rules import Problem

_VERSION = "https://jsonfeed.org/version/1.1"
_FEED: dict[str, type] = {
    **dict.fromkeys(("version", "title", "home_page_url", "feed_url", "description", "user_comment"), str),
    **dict.fromkeys(("next_url", "icon", "favicon", "language"), str),
    "authors": list, "author": dict, "expired": bool, "hubs": list, "items": list,
}  # fmt: skip
_ITEM: dict[str, type] = {
    **dict.fromkeys(("id", "url", "external_url", "title", "content_html", "content_text", "summary", "image"), str),
    **dict.fromkeys(("banner_image", "date_published", "date_modified", "language"), str),
    "authors": list, "author": dict, "tags": list, "attachments": list,
}  # fmt: skip
_FEED_ADDRESSES = ("home_page_url", "feed_url", "next_url", "icon", "favicon")
_ITEM_ADDRESSES = ("url", "external_url", "image", "banner_image")
_ITEM_DATES = ("date_published", "date_modified")


def check_json(content: bytes, *, self_url: str | None = None, now: datetime | None = None) -> list[Problem]:
    """Each rule that `content` breaks, with the id of the item that breaks it; an empty list for a good feed.

    `self_url` is the address it will be served at; with `now` no date may lie more than a day after it.
    """
    if (problem := too_big(content)) is not None:
        return [problem]
    try:
        feed = json.loads(content.decode("utf-8"), parse_constant=_no_constant, parse_int=whole_number)
    except (ValueError, RecursionError) as error:
        return [Problem("RFC 8259", f"not JSON in UTF-8: {error}")]
    if not isinstance(feed, dict):
        return [Problem("JSON Feed 1.1", "the document is no JSON object")]
    items = [item for item in _list(feed, "items") if isinstance(item, dict)]
    return [
        *_head(feed, self_url),
        *_members(feed, _FEED, ""),
        *_people(feed, ""),
        *_hubs(feed),
        *_ids(items),
        *(problem for item in items for problem in _item(item, now)),
        *out_of_order(_changes(items)),
    ]


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _head(feed: dict[str, Any], self_url: str | None) -> Iterator[Problem]:
    if feed.get("version") != _VERSION:
        yield Problem("JSON Feed 1.1, version", f"the version is {feed.get('version')!r}, not {_VERSION}")
    if not str(feed.get("title", "")).strip():
        yield Problem("JSON Feed 1.1, title", "the feed has no title")
    if not isinstance(feed.get("items"), list):
        yield Problem("JSON Feed 1.1, items", "the feed has no items; an empty one has an empty list")
    elif not all(isinstance(item, dict) for item in feed["items"]):
        yield Problem("JSON Feed 1.1, items", "an item is no JSON object")
    if not feed.get("feed_url"):
        yield Problem("JSON Feed 1.1, feed_url", "the feed does not say its own address")
    elif self_url is not None and feed["feed_url"] != self_url:
        text = f"feed_url says {feed['feed_url']}, the feed is served at {self_url}"
        yield Problem("JSON Feed 1.1, feed_url", text)
    if feed.get("next_url") is not None and feed["next_url"] == feed.get("feed_url"):
        yield Problem("JSON Feed 1.1, next_url", "the next page of the feed is the feed itself")
    yield from _addresses(feed, _FEED_ADDRESSES, "")


def _members(values: dict[str, Any], known: dict[str, type], entry_id: str) -> Iterator[Problem]:
    """Members of a wrong type, and those that neither the specification nor its rule for extensions allows."""
    for name, value in values.items():
        if name.startswith("_"):
            if "." in name:
                yield Problem("JSON Feed 1.1, extensions", f"the name of an extension has a dot: {name}", entry_id)
        elif name not in known:
            text = f"no member of this name: {name}; an extension's begins with an underscore"
            yield Problem("JSON Feed 1.1, extensions", text, entry_id)
        elif not isinstance(value, known[name]):
            yield Problem(f"JSON Feed 1.1, {name}", f"{name} is no {_WORDS[known[name]]}", entry_id)


_WORDS = {str: "string", list: "list", dict: "object", bool: "true or false"}


def _ids(items: list[dict[str, Any]]) -> Iterator[Problem]:
    for entry_id, count in Counter(item["id"] for item in items if isinstance(item.get("id"), str)).items():
        if count > 1:
            yield Problem("JSON Feed 1.1, id", f"{count} items have this id", entry_id)


def _item(item: dict[str, Any], now: datetime | None) -> Iterator[Problem]:
    entry_id = _id(item)
    if not item.get("id"):
        yield Problem("JSON Feed 1.1, id", "the item has no id", entry_id)
    yield from _members(item, _ITEM, entry_id)
    html, text = item.get("content_html"), item.get("content_text")
    if not (html or text):
        yield Problem("JSON Feed 1.1, content_html", "neither content_html nor content_text", entry_id)
    if isinstance(html, str) and (problem := html_problem(html)):
        yield Problem("JSON Feed 1.1, content_html", problem, entry_id)
    yield from _addresses(item, _ITEM_ADDRESSES, entry_id)
    yield from _dates(item, now, entry_id)
    yield from _people(item, entry_id)
    if not all(isinstance(tag, str) and tag.strip() for tag in _list(item, "tags")):
        yield Problem("JSON Feed 1.1, tags", "a tag is empty or no string", entry_id)
    for attachment in _list(item, "attachments"):
        named = isinstance(attachment, dict) and is_web_address(str(attachment.get("url", "")))
        if not (named and "/" in str(attachment.get("mime_type", ""))):
            yield Problem("JSON Feed 1.1, attachments", "an attachment needs url and mime_type", entry_id)


def _addresses(values: dict[str, Any], names: tuple[str, ...], entry_id: str) -> Iterator[Problem]:
    for name in names:
        value = values.get(name)
        if isinstance(value, str) and not is_web_address(value):
            yield Problem(f"JSON Feed 1.1, {name}", f"not an absolute web address: {value!r}", entry_id)


def _dates(item: dict[str, Any], now: datetime | None, entry_id: str) -> Iterator[Problem]:
    for name in _ITEM_DATES:
        value = item.get(name)
        if not isinstance(value, str):
            continue
        moment = rfc3339(value)
        if isinstance(moment, str):
            yield Problem(f"JSON Feed 1.1, {name}", moment, entry_id)
        elif implausible(moment, now):
            yield Problem(f"JSON Feed 1.1, {name}", f"an implausible date: {value}", entry_id)


def _people(values: dict[str, Any], entry_id: str) -> Iterator[Problem]:
    for author in _list(values, "authors"):
        if not (isinstance(author, dict) and any(author.get(name) for name in ("name", "url", "avatar"))):
            yield Problem("JSON Feed 1.1, authors", "an author has neither name, url nor avatar", entry_id)


def _hubs(feed: dict[str, Any]) -> Iterator[Problem]:
    for hub in _list(feed, "hubs"):
        if not (isinstance(hub, dict) and hub.get("type") and is_web_address(str(hub.get("url", "")))):
            yield Problem("JSON Feed 1.1, hubs", "a hub needs type and url")


def _changes(items: list[dict[str, Any]]) -> Iterator[tuple[datetime, str]]:
    for item in items:
        moment = rfc3339(str(item.get("date_modified", "")))
        if isinstance(moment, datetime):
            yield moment, _id(item)


def _list(values: dict[str, Any], name: str) -> list[Any]:
    value = values.get(name)
    return value if isinstance(value, list) else []


def _id(item: dict[str, Any]) -> str:
    return str(item.get("id") or "without id")
