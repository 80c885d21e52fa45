"""Everything we hold about one reader, and taking it away (GDPR, articles 15, 17 and 20). Floor: `flows`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from publisher.errors import NotFound
from publisher.flows.export_readers import consent_record
from publisher.model import SuppressionReason
from publisher.readers.address import address_key, checked_address
from publisher.store import Store, Transaction
from publisher.tokens import ADDRESS, Signer


def personal_data(tx: Transaction, subscriber_id: int, *, now: datetime) -> dict[str, Any]:
    """As plain JSON values; times in UTC (ISO 8601). Raises NotFound."""
    reader = tx.subscribers.get(subscriber_id)
    change = tx.address_changes.of(reader.id)
    wordings = tx.consents.wordings()
    names = {issue.id: issue.name for issue in tx.issues.numbered()}
    return {
        "made": now.isoformat(),
        "subscriber": {
            "number": reader.id,
            "email": reader.email,
            "new_email_to_be_confirmed": change.email if change else None,
            "state": str(reader.state),
            "paused_until": _time(reader.paused_until),
            "frequency": str(reader.frequency),
            "language": reader.language,
            "topics": list(reader.topics),
            "subscribed": reader.created.isoformat(),
            "covered_up_to_filing": reader.watermark,
            "feed_addresses_renewed": tx.subscribers.feed_renewals(reader.id),
        },
        "events": [
            {"at": event.at.isoformat(), "event": event.event, "detail": event.detail}
            for event in tx.subscribers.events(reader.id)
        ],
        "consents": [consent_record(consent, wordings) for consent in tx.consents.of(reader.id)],
        "deliveries": [
            {
                "issue": names.get(delivery.issue_id, ""),
                "state": str(delivery.state),
                "reason": delivery.reason,
                "attempts": delivery.attempts,
                "reply": delivery.reply,
                "changed": _time(delivery.changed),
            }
            for delivery in tx.deliveries.of_subscriber(reader.id)
        ],
        "returned_mail": [
            {
                "at": event.at.isoformat(),
                "kind": str(event.kind),
                "issue": names.get(event.issue_id or 0, ""),
                "status": event.status,
                "detail": event.detail,
            }
            for event in tx.bounces.of_subscriber(reader.id, since=reader.created)
        ],
    }


def forget(store: Store, signer: Signer, subscriber_id: int, *, now: datetime) -> bool:
    """Erase the reader. Their number stays in the ledger and leads to nobody, so that the sum of each issue stays
    right; a letter of theirs that waits is not sent. Of the address a keyed hash stays, from which nobody can read it:
    an import shall not bring them back. Safe to repeat: False when nobody was there."""
    with store.write() as tx:
        try:
            reader = tx.subscribers.get(subscriber_id)
        except NotFound:
            return False
        _erase(tx, signer, reader.email, subscriber_id, now)
    return True


def forget_address(store: Store, signer: Signer, email: str, *, now: datetime) -> bool:
    """The same by the address, whether its owner is a reader, or only somebody who signed up, or nobody. False when
    nobody was there; the address is remembered as forgotten all the same. Raises UsageError for what is no address."""
    address = checked_address(email)
    with store.write() as tx:
        reader = tx.subscribers.find(address)
        return _erase(tx, signer, address, reader.id if reader else None, now)


def _erase(tx: Transaction, signer: Signer, email: str, subscriber_id: int | None, now: datetime) -> bool:
    addresses = signer.digests(ADDRESS, address_key(email))
    wishes = tx.sign_ups.forget(addresses, subscriber_id)
    tx.service_letters.forget(addresses)
    tx.gate.suppress(addresses[0], SuppressionReason.FORGOTTEN, now)
    if subscriber_id is not None:
        tx.subscribers.remove(subscriber_id, now)
    return subscriber_id is not None or wishes > 0


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
