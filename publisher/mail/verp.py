"""Addresses of our own for each letter and reader: where it comes back to, and where they leave. Floor: `mail`; pure.

``bounces+<issue>.<subscriber>.<proof>@customs.example``: the mailbox of `bounces.address`, with what the letter is
behind a plus sign. The proof is 40 bits of an HMAC: nobody can have a reader struck off with invented mail.

``bounces+u.<subscriber>.<proof>@customs.example``: a letter to it ends the digest (RFC 2369). It does so at once and
alone, so its proof has 80 bits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from publisher.tokens import LEAVE_BY_MAIL, RETURN_PATH, Signer

_PROOF = 8  # characters of base32
_DIGITS = 12
_LONG_PROOF = 16


class LetterName(NamedTuple):
    """Which letter: of which issue, if that is known, to whom."""

    issue_id: int | None
    subscriber_id: int


class ReturnPath:
    """The return paths below `address`, a mailbox that takes ``local+anything@domain`` too."""

    def __init__(self, address: str, signer: Signer) -> None:
        self._local, _, self._domain = address.rpartition("@")
        self._signer = signer
        self._pattern = re.compile(
            rf"{re.escape(self._local)}\+(\d{{1,{_DIGITS}}})\.(\d{{1,{_DIGITS}}})\.([a-z2-7]{{{_PROOF}}})"
            rf"@{re.escape(self._domain)}",
            re.IGNORECASE | re.ASCII,  # relays may change the case
        )

        self._leaving = re.compile(
            rf"{re.escape(self._local)}\+u\.(\d{{1,{_DIGITS}}})\.([a-z2-7]{{{_LONG_PROOF}}})@{re.escape(self._domain)}",
            re.IGNORECASE | re.ASCII,
        )

    def leaving(self, subscriber_id: int) -> str:
        """The address to which that reader writes to get no letters any more."""
        proof = self._signer.digest(LEAVE_BY_MAIL, subscriber_id)[:_LONG_PROOF]
        return f"{self._local}+u.{subscriber_id}.{proof}@{self._domain}"

    def find_leaving(self, texts: Iterable[str]) -> int | None:
        """The reader of whom one of `texts` is the address to leave; forged ones are passed over."""
        for text in texts:
            for subscriber, proof in self._leaving.findall(text):
                if self._signer.is_digest(proof.lower(), LEAVE_BY_MAIL, int(subscriber)):
                    return int(subscriber)
        return None

    def of(self, issue_id: int, subscriber_id: int) -> str:
        """The envelope sender of that letter; its local part has 64 characters at most (RFC 5321 section 4.5.3.1.1)."""
        proof = self._signer.digest(RETURN_PATH, issue_id, subscriber_id)[:_PROOF]
        return f"{self._local}+{issue_id}.{subscriber_id}.{proof}@{self._domain}"

    def find(self, texts: Iterable[str]) -> LetterName | None:
        """The letter that a genuine return path in one of `texts` names; forged ones are passed over."""
        for text in texts:
            for issue, subscriber, proof in self._pattern.findall(text):
                name = LetterName(int(issue), int(subscriber))
                if self._signer.is_digest(proof.lower(), RETURN_PATH, *name):
                    return name
        return None
