"""A reader refused by the relay is asked about once, however the ledger's writing and looking fall together."""

from __future__ import annotations

from collections import Counter

import pytest
from flows.house import House, relay_settings
from wire.servers import Relay

from publisher.model import DeliveryState

REFUSED = {"550 5.1.1 no such user": DeliveryState.REJECTED, "450 4.2.0 not now": DeliveryState.DEFERRED}


@pytest.mark.parametrize("answer", REFUSED)
def test_each_reader_is_asked_about_once(posting_anywhere: House, relay: Relay, answer: str) -> None:
    house = posting_anywhere
    house.rebuild(smtp=relay_settings(relay, connections=6))
    house.article("Waste")
    asked: Counter[str] = Counter()
    for number in range(24):
        address = house.reader(f"reader{number:02}").email

        def refuse(address: str = address) -> str:
            asked[address] += 1
            return answer

        relay.rcpt[address] = refuse
    _, report = house.publish()
    assert dict(report.delivery.states) == {REFUSED[answer]: 24}
    assert set(asked.values()) == {1}
    house.check_sums()
