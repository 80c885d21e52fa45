"""The door to the database: articles, readers, issues, the ledger of deliveries, runs. Floor: store.

    store = Store("sqlite:////srv/site/data/publisher.db", topic_order=[...])
    with store.write() as tx:
        tx.articles.add([...])

Rows never leave this room; what comes out are the frozen values of `publisher.model`.
"""

from publisher.store.address_changes import AddressChange
from publisher.store.api_tokens import KeptRequest
from publisher.store.archives import ArchiveRow, FeedLine, Place
from publisher.store.articles import KnownArticle, NewArticle
from publisher.store.bounces import REFUSED, BounceEvent
from publisher.store.circuits import Kind
from publisher.store.database import HeldStore, Store, Transaction, Transactions, Trial
from publisher.store.feed_versions import FeedVersion
from publisher.store.filings import NewFiling, WindowRow
from publisher.store.hand_over import FIRST
from publisher.store.hub import HubRequest, Ping, Push
from publisher.store.issues import Rendering
from publisher.store.ledger_sql import Job, Key, Outcome
from publisher.store.meta import INSTALLED_AT
from publisher.store.migrations import Step
from publisher.store.operators import Operator, Session
from publisher.store.overview import TopicMonth, TopicReaders, Trouble
from publisher.store.rates import Grant
from publisher.store.run_requests import RunAnswer, RunRequest
from publisher.store.schema import HEAD as SCHEMA
from publisher.store.service_letters import ServiceLetter
from publisher.store.subscribers import AudienceRow, NewSubscriber, SubscriberEvent

__all__ = [
    "FIRST",
    "INSTALLED_AT",
    "REFUSED",
    "SCHEMA",
    "AddressChange",
    "ArchiveRow",
    "AudienceRow",
    "BounceEvent",
    "FeedLine",
    "FeedVersion",
    "Grant",
    "HeldStore",
    "HubRequest",
    "Job",
    "KeptRequest",
    "Key",
    "Kind",
    "KnownArticle",
    "NewArticle",
    "NewFiling",
    "NewSubscriber",
    "Operator",
    "Outcome",
    "Ping",
    "Place",
    "Push",
    "Rendering",
    "RunAnswer",
    "RunRequest",
    "ServiceLetter",
    "Session",
    "Step",
    "Store",
    "SubscriberEvent",
    "TopicMonth",
    "TopicReaders",
    "Transaction",
    "Transactions",
    "Trial",
    "Trouble",
    "WindowRow",
]
