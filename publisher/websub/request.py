"""What is posted to the hub -> a wish, or the reason why not. Floor: in websub."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl

from publisher.errors import HubError
from publisher.websub.callback import Callback, parse_callback

MAX_BODY = 16 * 1024  # bytes
MAX_FIELDS = 50
MAX_SECRET = 199  # bytes; WebSub, 5.1: less than 200
MIN_LEASE_S = 300
"""Shorter leases would only mean more verifications."""
_DAY_S = 24 * 3600


class HubMode(StrEnum):
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Wish:
    """One request to the hub that holds so far; whether `topic` is a feed of ours is for others to say."""

    mode: HubMode
    callback: Callback
    topic: str
    lease_s: int
    secret: str | None = field(default=None, repr=False)


def parse_body(body: bytes) -> dict[str, str]:
    """The fields of a form (application/x-www-form-urlencoded); of a repeated one the first. Raises HubError."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise HubError(400, "the request is not a form of UTF-8 text with at most 50 fields") from error
    return _first_of_each(pairs)


def parse_wish(fields: dict[str, str], *, lease_days: int, allow_private: bool = False) -> Wish:
    """The wish that a subscriber's `fields` express (WebSub, 5.1). Unknown ones, and those of the protocol's older
    versions (hub.verify, hub.verify_token), are not looked at. Raises HubError with the reason."""
    mode = fields.get("hub.mode", "")
    if mode == "publish":
        raise HubError(403, "this hub sends out the feeds of its own site only, and knows by itself when they change")
    if mode not in list(HubMode):
        raise HubError(400, "hub.mode must be subscribe or unsubscribe")
    for name in ("hub.callback", "hub.topic"):
        if not fields.get(name):
            raise HubError(400, f"{name} is missing")
    secret = fields.get("hub.secret") or None
    if secret is not None and (len(secret.encode()) > MAX_SECRET or "\0" in secret):
        raise HubError(400, "hub.secret must be shorter than 200 bytes")
    return Wish(
        mode=HubMode(mode),
        callback=parse_callback(fields["hub.callback"], allow_private=allow_private),
        topic=fields["hub.topic"],
        lease_s=granted_lease(fields.get("hub.lease_seconds", ""), lease_days=lease_days),
        secret=secret,
    )


def granted_lease(asked: str, *, lease_days: int) -> int:
    """Seconds of the lease: what was asked, within MIN_LEASE_S and `lease_days`; the whole of `lease_days` when
    nothing was asked, or 0, which meant "for ever" in older versions. Raises HubError when it is no number."""
    longest = lease_days * _DAY_S
    if not asked:
        return longest
    if not (asked.isascii() and asked.isdigit()):
        raise HubError(400, "hub.lease_seconds must be a number of seconds")
    digits = asked.lstrip("0")
    if not digits or len(digits) > len(str(longest)):
        return longest
    return max(MIN_LEASE_S, min(int(digits), longest))


def _first_of_each(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields
