"""All readers as a table or as JSON, as long as they are: written piece by piece. Floor: `flows`.

The table is what `import_readers` takes. JSON has more: what each reader agreed to, and what happened to them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from publisher.model import Consent, Subscriber, SubscriberState
from publisher.readers.table import COLUMNS, cell
from publisher.store import Store, Transaction

BATCH = 1000


def as_table(store: Store, *, state: SubscriberState | None = None) -> Iterator[str]:
    """CSV (RFC 4180) in pieces of whole lines, the first one with the names of the columns."""
    yield _lines([COLUMNS])
    after = 0
    while True:
        with store.read() as tx:
            readers = tx.subscribers.list(state=state, limit=BATCH, after_id=after)
            consents = tx.consents.of_many([reader.id for reader in readers])
        if not readers:
            return
        after = readers[-1].id
        yield _lines([_row(reader, consents.get(reader.id, [])) for reader in readers])


def as_json(store: Store, *, state: SubscriberState | None = None) -> Iterator[str]:
    """An array of objects, one line each; fields named as in the model."""
    after, lead = 0, "["
    while True:
        with store.read() as tx:
            readers = tx.subscribers.list(state=state, limit=BATCH, after_id=after)
            wordings = tx.consents.wordings()
            found = [_object(tx, reader, wordings) for reader in readers]
        if not found:
            break
        after = readers[-1].id
        for each in found:
            yield f"{lead}\n{json.dumps(each, ensure_ascii=False)}"
            lead = ","
    yield "[]\n" if lead == "[" else "\n]\n"


def _row(reader: Subscriber, consents: Sequence[Consent]) -> list[str]:
    return [
        cell(reader.email),
        str(reader.state),
        str(reader.frequency),
        reader.language,
        " ".join(reader.topics),
        reader.created.isoformat(),
        cell(_consent(consents[-1])) if consents else "",
    ]


def _consent(consent: Consent) -> str:
    """The last consent in a line: ``confirmed 2026-03-02T07:00:00+00:00 form 1a2b3c4d``."""
    return " ".join(filter(None, (str(consent.act), consent.at.isoformat(), str(consent.method), consent.wording)))


def _object(tx: Transaction, reader: Subscriber, wordings: dict[str, str]) -> dict[str, Any]:
    return {
        "id": reader.id,
        "email": reader.email,
        "state": str(reader.state),
        "frequency": str(reader.frequency),
        "language": reader.language,
        "topics": list(reader.topics),
        "watermark": reader.watermark,
        "created": reader.created.isoformat(),
        "paused_until": reader.paused_until.isoformat() if reader.paused_until else None,
        "consents": [consent_record(consent, wordings) for consent in tx.consents.of(reader.id)],
        "events": [
            {"at": event.at.isoformat(), "event": event.event, "detail": event.detail}
            for event in tx.subscribers.events(reader.id)
        ],
    }


def consent_record(consent: Consent, wordings: dict[str, str]) -> dict[str, str]:
    """As plain JSON values, with the words that were agreed to."""
    return {
        "at": consent.at.isoformat(),
        "act": str(consent.act),
        "method": str(consent.method),
        "wording": consent.wording,
        "words": wordings.get(consent.wording, ""),
        "network": consent.network,
        "detail": consent.detail,
    }


def _lines(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
