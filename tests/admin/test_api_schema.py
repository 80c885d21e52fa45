"""The API against its own OpenAPI document: whatever is sent, nothing breaks, and answers are what it says they are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from admin.conftest import NOW, served
from flows.house import Time
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
)

from publisher.app import build
from publisher.config import load
from publisher.flows.api_tokens import add_token
from publisher.model import Scope

OURS = [ignored_auth, negative_data_rejection, positive_data_acceptance]
"""What other tests look at, or what is otherwise on purpose: a query may hold further names, a topic must be there."""


@pytest.fixture
def api(furnished: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The address of a running API and a token for everything; on PostgreSQL where that is asked for."""
    shutil.copytree(furnished, tmp_path / "site")
    postgresql = getattr(request, "param", "sqlite") == "postgresql"
    environ = {"PUBLISHER_STORE_URL": request.getfixturevalue("postgresql_url")} if postgresql else {}
    app = build(load(tmp_path / "site" / "config.toml", environ), clock=Time(NOW))
    token = add_token(app.store, "robot", tuple(Scope), now=NOW, by="test")[1]
    with served(app) as address:
        yield address, token
    app.close()


def sent(api: tuple[str, str], mode: GenerationMode, examples: int) -> dict[str, set[int]]:
    """Sends generated requests to every operation and checks each answer; gives the statuses there were."""
    address, token = api
    schema = schemathesis.openapi.from_url(f"{address}/api/openapi.json")
    statuses: dict[str, set[int]] = {}
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: Any) -> None:
            answer = case.call(headers={"authorization": f"Bearer {token}"}, timeout=60)
            statuses.setdefault(case.operation.label, set()).add(answer.status_code)
            case.validate_response(answer, excluded_checks=OURS)

        check()
    return statuses


def test_whatever_is_sent_nothing_breaks_and_answers_are_as_described(api: tuple[str, str]) -> None:
    statuses = sent(api, GenerationMode.POSITIVE, examples=1)
    assert len(statuses) > 20
    assert not {status for several in statuses.values() for status in several if status >= 500}


@pytest.mark.slow
@pytest.mark.parametrize("api", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_the_same_with_many_more_requests(api: tuple[str, str], mode: GenerationMode) -> None:
    assert not {status for several in sent(api, mode, examples=150).values() for status in several if status >= 500}
