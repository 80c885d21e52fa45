"""A letter with the link to a reader's settings, asked for where nobody may see them. Floor: `flows`.

The link to leave stands in a header that mail providers and list services read, so it opens no settings; its page has
a button for this letter, which goes to nobody but the reader.
"""

from __future__ import annotations

from publisher.flows.preferences import staying
from publisher.flows.sign_up import SETTINGS_LETTER, SignUpParts, pass_gate


def ask_for_settings(parts: SignUpParts, subscriber_id: int, *, host: str) -> None:
    """Plan the letter, if the gate of sign-up lets it; nobody learns whether it did. Raises NotFound for a reader who
    is gone or has left. The letter goes out when the mail room works."""
    now = parts.clock()
    with parts.store.write() as tx:
        reader = staying(tx, subscriber_id)
        if not pass_gate(tx, parts, reader.email, host=host, now=now).granted:
            return
        tx.service_letters.add(
            SETTINGS_LETTER,
            email=reader.email,
            address=parts.addresses(reader.email)[0],
            language=reader.language,
            facts={"subscriber": reader.id},
            written=now,
            expires=now + parts.terms.confirm_within,
        )
