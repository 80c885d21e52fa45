"""The values of the house, frozen, named with the design's words. Floor: above `errors`, below everything else.

Every datetime is aware, in UTC, in whole seconds. Who uses a value imports it from here.
"""

from publisher.model.articles import (
    Article,
    DepartureState,
    Document,
    FiledArticle,
    Filing,
    ImportOutcome,
    Origin,
    PublishedDocument,
    RawArticle,
    Refusal,
)
from publisher.model.issues import (
    OVER,
    PENDING_STATES,
    UNPUBLISHED,
    Delivery,
    DeliveryState,
    Edition,
    Issue,
    IssueState,
    IssueSum,
    Section,
)
from publisher.model.operators import ApiToken, AuditLine, Scope
from publisher.model.readers import (
    STAYING,
    Consent,
    ConsentAct,
    Frequency,
    NextLetter,
    SignUp,
    SignUpMethod,
    SignUpState,
    Subscriber,
    SubscriberState,
    SuppressionReason,
)
from publisher.model.runs import Job, Run, RunState, RunTrigger
from publisher.model.topics import ALL, Topic, TopicGroup

__all__ = [
    "ALL",
    "OVER",
    "PENDING_STATES",
    "STAYING",
    "UNPUBLISHED",
    "ApiToken",
    "Article",
    "AuditLine",
    "Consent",
    "ConsentAct",
    "Delivery",
    "DeliveryState",
    "DepartureState",
    "Document",
    "Edition",
    "FiledArticle",
    "Filing",
    "Frequency",
    "ImportOutcome",
    "Issue",
    "IssueState",
    "IssueSum",
    "Job",
    "NextLetter",
    "Origin",
    "PublishedDocument",
    "RawArticle",
    "Refusal",
    "Run",
    "RunState",
    "RunTrigger",
    "Scope",
    "Section",
    "SignUp",
    "SignUpMethod",
    "SignUpState",
    "Subscriber",
    "SubscriberState",
    "SuppressionReason",
    "Topic",
    "TopicGroup",
]
