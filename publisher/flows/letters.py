"""Letters: a stored edition and a reader -> the bytes that go out. Floor: `flows`."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from jinja2.sandbox import ImmutableSandboxedEnvironment

from publisher.digest.letter import LetterForm, Pieces, Rendering
from publisher.digest.mime import message_id
from publisher.digest.render import DigestSite, RenderedEdition, render_edition
from publisher.mail.dkim import DkimSigner
from publisher.mail.verp import ReturnPath
from publisher.model import Edition, FiledArticle, Issue
from publisher.templating import render
from publisher.tokens import APPROVAL, MESSAGE_ID, PREFERENCES, UNSUBSCRIBE, Signer

_SAMPLE = "reader@customs.example"


class Letters:
    """Renders editions, and fills a rendered edition's slots for one reader.

    The letter of an issue to a reader has the same bytes at every attempt, Message-ID and signatures included. With
    `dkim` it is signed, which takes a third of a millisecond; threads may make letters side by side, and RSA lets them.
    """

    def __init__(
        self,
        env: ImmutableSandboxedEnvironment,
        site: DigestSite,
        signer: Signer,
        *,
        dkim: DkimSigner | None = None,
        return_path: ReturnPath | None = None,
    ) -> None:
        self._env = env
        self._site = site
        self._signer = signer
        self._dkim = dkim
        self._return_path = return_path
        self.sender = parseaddr(site.sender)[1]
        self._domain = self.sender.rpartition("@")[2].lower()

    @property
    def are_signed(self) -> bool:
        """Whether a letter takes long to make."""
        return self._dkim is not None

    def render(self, issue: Issue, edition: Edition, articles: Mapping[str, FiledArticle]) -> RenderedEdition:
        return render_edition(self._env, self._site, issue, edition, articles)

    def form(self, issue: Issue, rendered: Rendering) -> LetterForm:
        return LetterForm.of(self._site, issue, rendered)

    def letter(self, form: LetterForm, issue: Issue, subscriber_id: int, email: str, *, stuffed: bool = False) -> bytes:
        """`stuffed`: as the wire takes it, with leading dots doubled."""
        letter = form.for_reader(*self._values(issue, subscriber_id, email), stuffed=stuffed)
        return letter if self._dkim is None else self._dkim.sign(letter, issue.composed, stuffed=stuffed)

    def pieces(self, form: LetterForm, issue: Issue, subscriber_id: int, email: str) -> Pieces:
        """The letter as the wire takes it, in pieces to be written one behind the other."""
        if self._dkim is None:
            return form.pieces(*self._values(issue, subscriber_id, email), stuffed=True)
        letter = form.pieces(*self._values(issue, subscriber_id, email), stuffed=True)
        signatures = self._dkim.signatures(letter.parts, issue.composed)
        return Pieces([signatures, *letter.parts], len(signatures) + letter.size, letter.seven_bit)

    def envelope_sender(self, issue_id: int, subscriber_id: int) -> str:
        """Where that letter comes back to: an address of its own, or the sender's."""
        return self._return_path.of(issue_id, subscriber_id) if self._return_path else self.sender

    def to_editor(self, editor: str, issue: Issue, values: Mapping[str, object]) -> bytes:
        """The letter that asks `editor` to approve an issue (templates ``email/approval/*``), with the link to it."""
        shown = {**values, "url": self._site.links.approval(self._signer.token(APPROVAL, issue.id))}
        message = EmailMessage(policy=SMTP)
        message["From"] = self._site.sender
        message["To"] = editor
        message["Subject"] = " ".join(render(self._env, "email/approval/subject.txt", shown).split())
        message["Date"] = format_datetime(issue.composed)
        message["Message-ID"] = message_id(self._domain, self._signer.digest(APPROVAL, issue.id))
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(render(self._env, "email/approval/body.txt", shown), cte="quoted-printable")
        letter = message.as_bytes()
        return letter if self._dkim is None else self._dkim.sign(letter, issue.composed)

    def size(self, issue: Issue, rendered: Rendering) -> int:
        return len(self.letter(self.form(issue, rendered), issue, 1, _SAMPLE))

    def _values(self, issue: Issue, subscriber_id: int, email: str) -> tuple[str, str, str, str, str]:
        """What differs from reader to reader, as `LetterForm.for_reader` takes it."""
        links = self._site.links
        return (
            email,
            message_id(self._domain, self._signer.digest(MESSAGE_ID, issue.id, subscriber_id)),
            links.unsubscribe(self._signer.token(UNSUBSCRIBE, subscriber_id)),
            links.preferences(self._signer.token(PREFERENCES, subscriber_id)),
            self._return_path.leaving(subscriber_id) if self._return_path else "",
        )
