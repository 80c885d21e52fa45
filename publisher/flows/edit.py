"""Articles written and mended by hand: the command and the admin page call the same. Floor: `flows`.

    add      writing -> judged like an item of a file -> ingest
    correct  present article + writing -> judged alike -> new revision -> filed anew

Nothing is published here: the next run does that. A correction by hand leaves the source's fingerprint as it is, so
that its file, as long as it says what it said, changes nothing at the next import; a file that was changed wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from publisher.errors import Conflict, UsageError
from publisher.flows.filing import put_in_topics, rename_topics
from publisher.flows.ingest import Ingest, identities_of, identity_of_title
from publisher.flows.reports import Leaving
from publisher.flows.revision import free_seconds, revised
from publisher.flows.run import Parts
from publisher.flows.source_files import admission_of
from publisher.htmltext import excerpt
from publisher.model import Article, ImportOutcome, RawArticle, Refusal
from publisher.sources.by_hand import Form, judge

__all__ = ["Edited", "Form", "Writing", "add_article", "correct_article"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What somebody wrote; None is left as it is, or out of a new article. `form` is that of `body`.

    An empty summary is the beginning of the text, an empty author or source none, no topics leave it to the rules;
    `date` as in docs/articles.md.
    """

    title: str | None = None
    body: str | None = None
    form: Form = Form.MARKDOWN
    summary: str | None = None
    author: str | None = None
    source: str | None = None
    language: str | None = None
    date: str | None = None
    topics: Sequence[str] | None = None

    def fields(self) -> dict[str, object]:
        """By the keys of docs/articles.md."""
        names = ("summary", "author", "source", "language", "date")
        said = {name: value for name in names if (value := getattr(self, name)) is not None}
        return said if self.topics is None else {**said, "topics": list(self.topics)}


@dataclass(frozen=True, slots=True)
class Edited:
    """The article as it is now; `leaving` are filings that today's rules would not make again, and that stay."""

    outcome: ImportOutcome
    article: Article
    leaving: tuple[Leaving, ...] = ()


def add_article(parts: Parts, writing: Writing) -> Edited:
    """Put a new article in. Raises UsageError with what is wrong, also when there is one of that title."""
    now = parts.clock()
    raw = _judged(parts, writing.title or "", writing.body or "", writing.form, writing.fields())
    with parts.store.read() as tx:
        known = tx.articles.known(identities_of(raw))
    if known:
        key = next(iter(known.values())).key
        raise Conflict(f"there is an article of this title: {key}; correct that one, or choose another title")
    ingest = Ingest(parts.store, classifier=parts.classifier, settings=parts.settings, now=now, mint_key=parts.mint_key)
    ingest.take([raw])
    report = ingest.report()
    with parts.store.read() as tx:
        return Edited(report.items[0].outcome, tx.articles.get(report.items[0].key), report.leaving)


def correct_article(parts: Parts, name: str, writing: Writing, *, note: str = "", minor: bool = False) -> Edited:
    """Change the article that people mean by `name`. Readers see `note` above the text, with the date; a `minor` edit
    goes out without either.

    Raises NotFound, and UsageError with what is wrong: a withdrawn article, a name that fits several, a bad text.
    """
    with parts.store.write() as tx:
        rename_topics(tx, parts.settings)
        old = tx.articles.resolve(name)
        if old.withdrawn is not None:
            raise Conflict(f"article {old.key} was withdrawn; `publisher articles restore {old.key}` brings it back")
        now = parts.clock()
        new, note = _changed(parts, old, writing, note)
        (moment,) = free_seconds(tx, 1, now)
        new = revised(old, new, note=note, minor=minor, stamp=tx.articles.next_stamps(1)[0], moment=moment)
        if new == old:
            return Edited(ImportOutcome.UNCHANGED, old)
        tx.articles.revise(new)
        if new.title != old.title:
            tx.articles.add_identities(new.key, [identity_of_title(new.title)])
        _, leaving = put_in_topics(tx, [new], classifier=parts.classifier, now=now)
        return Edited(ImportOutcome.CHANGED, tx.articles.get(old.key), tuple(leaving))


def _changed(parts: Parts, old: Article, writing: Writing, note: str) -> tuple[Article, str]:
    """`old` with what `writing` says, and the note, cleaned; dates are not moved yet."""
    as_it_is = writing.body is None
    body, form = (old.body, Form.HTML) if writing.body is None else (writing.body, writing.form)
    title = old.title if writing.title is None else writing.title
    fields = {"source": old.source_url or "", **writing.fields(), "correction": note}
    raw = _judged(parts, title, body, form, fields)
    borrowed = writing.summary == "" or (writing.summary is None and old.summary == excerpt(old.text))
    text = old.text if as_it_is else raw.text
    new = replace(
        old,
        title=raw.title,
        body=old.body if as_it_is else raw.body,
        text=text,
        summary=excerpt(text) if borrowed else raw.summary or old.summary,
        author=old.author if writing.author is None else raw.author,
        language=raw.language if writing.language and raw.language else old.language,
        source_url=raw.source_url,
        published=raw.published or old.published,
        explicit_topics=old.explicit_topics if writing.topics is None else parts.settings.present_topics(raw.topics),
    )
    return new, raw.correction


def _judged(parts: Parts, title: str, body: str, form: Form, fields: dict[str, object]) -> RawArticle:
    raw = judge(title, body, form, fields, admission_of(parts.settings, parts.clock()))
    if isinstance(raw, Refusal):
        raise UsageError(raw.reason)
    return raw
