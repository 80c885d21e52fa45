"""Approval: an issue that was composed for its slot waits until the editor says yes. Floor: `flows`.

    slot -> compose -> waiting ──approve──> sending, as any other issue
               │          └──────refuse───> refused: nobody gets it, its articles come with the next one
               └─> a letter to the editor with a link (digest.editor)

What was approved is what is sent: the editions are rendered and the readers chosen when it is composed. Whoever leaves
meanwhile gets nothing, and an issue that is composed while another one waits takes over its articles.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr

from publisher.clock import Clock
from publisher.config import Settings
from publisher.digest.render import SLOTS
from publisher.errors import Conflict, PublisherError
from publisher.flows.crossing import across
from publisher.flows.deliver import Post
from publisher.flows.one_letter import hand_over
from publisher.model import DeliveryState, Edition, Issue, IssueState
from publisher.store import Rendering, Store, Transaction

_LISTED = 60  # articles named in the letter to the editor


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An issue that waits for the editor. `subject` and `text` are those of its largest edition, the text without
    what is a reader's own; `articles` their titles; `asked`: when the editor was written to."""

    issue: Issue
    name: str
    letters: int
    editions: int
    articles: tuple[str, ...]
    subject: str
    text: str
    asked: datetime | None


def waiting(store: Store) -> list[Waiting]:
    """The issues that wait, the oldest first."""
    with store.read() as tx:
        return [_waiting(tx, issue) for issue in reversed(tx.issues.list(1000, state=IssueState.WAITING))]


def find_waiting(store: Store, issue_id: int) -> Waiting | None:
    """The issue of that number if it waits."""
    with store.read() as tx:
        issue = tx.issues.find(issue_id)
        return _waiting(tx, issue) if issue is not None and issue.state is IssueState.WAITING else None


def approve(store: Store, name: str, now: datetime) -> Issue:
    """Let the waiting issue `name` be sent, by the next run or `publisher deliver`. Its letters get today's date.

    Raises NotFound, and Conflict when it does not wait."""
    with store.write() as tx:
        issue = tx.issues.by_name(name)
        if not tx.deliveries.approve(issue.id, now):
            raise Conflict(f"{name} does not wait for approval, it is {issue.state}")
        return tx.issues.get(issue.id)


def refuse(store: Store, name: str, now: datetime, *, reason: str = "refused by the editor") -> Issue:
    """Send nothing of the waiting issue `name`. Raises as `approve` does."""
    with store.write() as tx:
        issue = tx.issues.by_name(name)
        if not tx.deliveries.refuse(issue.id, now):
            raise Conflict(f"{name} does not wait for approval, it is {issue.state}")
        tx.issues.set_state(issue.id, IssueState.REFUSED, now=now, reason=reason)
        return tx.issues.get(issue.id)


async def ask_editor(store: Store, post: Post, settings: Settings, *, clock: Clock) -> str:
    """Write to the editor of each issue that waits and was not told of yet; gives the problem, if there was one.

    The issue is marked when its letter was taken: one that was killed in between asks twice rather than never.
    """
    editor = settings.digest.editor
    if editor is None:
        return ""
    for issue in [one for one in await across(waiting, store) if one.asked is None]:
        letter = _letter(post, settings, editor, issue)
        try:
            await hand_over(post, parseaddr(editor)[1], letter)
        except (PublisherError, OSError) as error:
            return f"the editor could not be asked about {issue.name}: {error}"
        await across(_mark_asked, store, issue.issue.id, clock())
    return ""


def _mark_asked(store: Store, issue_id: int, now: datetime) -> None:
    with store.write() as tx:
        tx.issues.set_asked(issue_id, now)


def _waiting(tx: Transaction, issue: Issue) -> Waiting:
    editions = tx.issues.editions(issue.id)
    largest: Edition = max(editions, key=lambda edition: len(edition.article_keys))
    shown: Rendering = tx.issues.rendering(largest.id)
    text = shown.text
    for slot in SLOTS:
        text = text.replace(slot, "…")
    keys = dict.fromkeys(key for edition in editions for key in edition.article_keys)
    articles = tx.articles.filed(keys)
    return Waiting(
        issue=issue,
        name=issue.name,
        letters=tx.deliveries.sum(issue.id).states.get(DeliveryState.PLANNED, 0),
        editions=len(editions),
        articles=tuple(articles[key].article.title for key in keys if key in articles),
        subject=shown.subject,
        text=text,
        asked=tx.issues.asked(issue.id),
    )


def _letter(post: Post, settings: Settings, editor: str, issue: Waiting) -> bytes:
    more = len(issue.articles) - _LISTED
    values = {
        "name": issue.name,
        "title": settings.site.title,
        "subject": issue.subject,
        "letters": issue.letters,
        "editions": issue.editions,
        "articles": [*issue.articles[:_LISTED], *([f"and {more:,} more"] if more > 0 else [])],
    }
    return post.letters.to_editor(editor, issue.issue, values)
