"""Preview: the next digest as it would go out now, seen by one person, recorded nowhere. Floor: `flows`."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, replace

from publisher.digest.choose import choose
from publisher.digest.render import PREFERENCES, RECIPIENT, UNSUBSCRIBE, RenderedEdition
from publisher.errors import NotFound, NothingNew
from publisher.flows.compose import fresh_filings, starting_watermark
from publisher.flows.crossing import across
from publisher.flows.one_letter import hand_over
from publisher.flows.run import Parts
from publisher.model import ALL, Edition, Frequency, Issue, IssueState
from publisher.readers.address import checked_address
from publisher.store import Transaction

SAMPLE_READER = "reader@customs.example"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a reader would see."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The largest letter of the next issue: its bytes, those of its HTML part, and the addresses its articles are
    from."""

    whole: int
    html: int
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    issue: Issue
    edition: Edition
    rendered: RenderedEdition
    sources: tuple[str, ...]


def preview(parts: Parts, frequency: Frequency, *, email: str | None = None) -> Preview:
    """The next digest of `frequency` for the reader `email`; without one, for a reader of everything.

    Raises NothingNew when there is nothing new, NotFound when there is no such reader.
    """
    draft = _draft(parts, frequency, email)
    home = parts.settings.site.base_url
    values = {RECIPIENT: email or SAMPLE_READER, UNSUBSCRIBE: home, PREFERENCES: home}
    return Preview(
        subject=draft.rendered.subject,
        text=_filled(draft.rendered.text, values),
        html=_filled(draft.rendered.html, {slot: html.escape(value) for slot, value in values.items()}),
    )


def measured(parts: Parts, frequency: Frequency, language: str = "") -> Measured:
    """For a reader of everything, of that language or the site's. Raises as `preview` does."""
    draft = _draft(parts, frequency, None, language)
    whole = parts.post.letters.size(draft.issue, draft.rendered)
    return Measured(whole, len(draft.rendered.html.encode()), draft.sources)


async def send_test(parts: Parts, frequency: Frequency, to: str, *, email: str | None = None) -> str:
    """Send the preview for the reader `email` (without one: as `to` would get it, if `to` is a reader) to one address;
    gives the relay's answer. Raises as `preview`, and UsageError for what is no address.

    Nobody's place moves, and the links of the letter lead to the site, not to anybody's subscription.
    """
    address = checked_address(to)

    def drafted() -> _Draft:
        with parts.store.read() as tx:
            reader = email or (address if tx.subscribers.find(address) else None)
        return _draft(parts, frequency, reader)

    draft = await across(drafted)
    rendered = replace(draft.rendered, subject=f"[test] {draft.rendered.subject}")
    letters = parts.post.letters
    form = letters.form(draft.issue, rendered)
    content = letters.letter(form, draft.issue, 0, address)
    reply = await hand_over(parts.post, address, content)
    return f"kept in {parts.post.outbox_path}" if parts.post.is_local else str(reply)


def _filled(body: str, values: Mapping[str, str]) -> str:
    for slot, value in values.items():
        body = body.replace(slot, value)
    return body


def _draft(parts: Parts, frequency: Frequency, email: str | None, language: str = "") -> _Draft:
    now = parts.clock()
    with parts.store.read() as tx:
        topics, watermark, own = _reader(tx, parts, frequency, email)
        issue = Issue(
            id=0,
            frequency=frequency,
            number=tx.issues.next_number(frequency),
            slot=None,
            state=IssueState.SENDING,
            composed=now,
            upto_seq=tx.filings.last_seq(),
        )
        window, _ = fresh_filings(tx, watermark, issue.upto_seq, parts.terms.hold_back)
        sections = choose(window, topics, watermark, parts.terms.topic_order)
        if not sections:
            raise NothingNew(f"nothing new for the {frequency} digest; the next issue would be skipped")
        edition = Edition(id=0, issue_id=0, language=language or own, sections=sections)
        articles = tx.articles.filed(edition.article_keys)
    sources = [filed.article.source_url for filed in articles.values() if filed.article.source_url]
    return _Draft(issue, edition, parts.post.letters.render(issue, edition, articles), tuple(dict.fromkeys(sources)))


def _reader(tx: Transaction, parts: Parts, frequency: Frequency, email: str | None) -> tuple[tuple[str, ...], int, str]:
    if email is None:
        return (ALL,), starting_watermark(tx, frequency), parts.settings.site.language
    reader = tx.subscribers.find(checked_address(email))
    if reader is None:
        raise NotFound("subscriber", email, "`publisher subscribers list` shows them")
    return reader.topics, reader.watermark, reader.language
