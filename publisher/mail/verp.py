"""Return paths: each letter has its own, so that one that comes back names its reader. Floor: `mail`; pure.

``bounces+<issue>.<subscriber>.<proof>@customs.example``: the mailbox of `bounces.address`, with what the letter is
behind a plus sign. The proof is 40 bits of an HMAC: nobody can have a reader struck off with invented mail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from publisher.tokens import RETURN_PATH, Signer

_PROOF = 8  # characters of base32
_DIGITS = 12


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
