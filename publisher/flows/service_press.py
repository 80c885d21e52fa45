"""Service letters: a stored row -> the bytes that go out. Floor: `flows`.

Links and codes are made here, from the numbers that the row holds: the database keeps none that would let anybody in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from email.utils import parseaddr
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment

from publisher.digest.mime import message_id
from publisher.digest.render import DigestSite
from publisher.digest.service_letter import render_service_letter, service_letter
from publisher.flows.sign_up import (
    ADDRESS_CHANGED_LETTER,
    CHANGE_LETTER,
    CONFIRM_LETTER,
    KNOWN_LETTER,
    SETTINGS_LETTER,
)
from publisher.mail.dkim import DkimSigner
from publisher.store import ServiceLetter
from publisher.tokens import CHANGE_ADDRESS, CODE, CONFIRM, MESSAGE_ID, NOT_ME, PREFERENCES, UNSUBSCRIBE, Signer

ALARM_LETTER = "alarm"
_HOUR = timedelta(hours=1)


class ServicePress:
    """Makes the letters of every kind; the same letter has the same bytes at every attempt.

    `sender` is their From, with or without a name; `bounces_to`, where they come back to, else to the sender.
    """

    def __init__(
        self,
        env: ImmutableSandboxedEnvironment,
        site: DigestSite,
        signer: Signer,
        *,
        sender: str,
        bounces_to: str = "",
        dkim: DkimSigner | None = None,
    ) -> None:
        self._env = env
        self._site = site
        self._signer = signer
        self._sender = sender
        self._dkim = dkim
        address = parseaddr(sender)[1]
        self._domain = address.rpartition("@")[2].lower()
        self.envelope_sender = bounces_to or address
        self._values: dict[str, Callable[[ServiceLetter], Mapping[str, Any]]] = {
            CONFIRM_LETTER: self._confirm,
            KNOWN_LETTER: self._known,
            SETTINGS_LETTER: self._known,
            CHANGE_LETTER: self._change,
            ADDRESS_CHANGED_LETTER: lambda _: {},
            ALARM_LETTER: lambda row: {"alarms": row.facts["alarms"]},
        }

    def letter(self, row: ServiceLetter) -> bytes:
        """Raises TemplateError for a broken template, LetterError for an address that no header can hold."""
        content = render_service_letter(self._env, self._site, row.kind, row.language, self._values[row.kind](row))
        letter = service_letter(
            content,
            sender=self._sender,
            reply_to=self._site.reply_to,
            recipient=row.email,
            message_id=message_id(self._domain, self._signer.digest(MESSAGE_ID, "service", row.id)),
            date=row.written,
        )
        return letter if self._dkim is None else self._dkim.sign(letter, row.written)

    def _confirm(self, row: ServiceLetter) -> Mapping[str, Any]:
        number, address = int(row.facts["sign_up"]), str(row.facts["address"])
        links = self._site.links
        return {
            "confirm_url": links.confirm(self._signer.token(CONFIRM, number)),
            "code": self._signer.code(CODE, number),
            "not_me_url": links.not_me(f"{address}.{self._signer.digest(NOT_ME, address)}"),
            "expires": row.expires,
            "hours": round((row.expires - row.written) / _HOUR),
        }

    def _change(self, row: ServiceLetter) -> Mapping[str, Any]:
        return {
            "change_url": self._site.links.change_address(self._signer.token(CHANGE_ADDRESS, int(row.facts["change"]))),
            "expires": row.expires,
            "hours": round((row.expires - row.written) / _HOUR),
        }

    def _known(self, row: ServiceLetter) -> Mapping[str, Any]:
        number = int(row.facts["subscriber"])
        links = self._site.links
        return {
            "preferences_url": links.preferences(self._signer.token(PREFERENCES, number)),
            "unsubscribe_url": links.unsubscribe(self._signer.token(UNSUBSCRIBE, number)),
        }
