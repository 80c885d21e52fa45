"""Signing in: closed until a password is set, slow to guess, and nothing is done for another site's page."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from admin.conftest import PASSWORD, csrf_of
from flows.house import Time
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from publisher.app import App
from publisher.errors import NotFound, UsageError
from publisher.flows.operators import remove_operator, set_password, sign_in
from publisher.web.server import make_asgi
from publisher.web.throttle import Allowance, Throttle, network_of

PAGES = ("", "publish", "runs", "audit")


def post_sign_in(client: TestClient, password: str = PASSWORD, **more: str) -> int:
    return client.post("/admin/sign-in", data={"name": "admin", "password": password, **more}).status_code


@pytest.mark.parametrize("page", PAGES)
def test_a_page_leads_a_stranger_to_the_sign_in_page_and_back(visitor: TestClient, page: str) -> None:
    sent_on = visitor.get(f"/admin/{page}")
    assert sent_on.status_code == 303
    assert sent_on.headers["location"].startswith("/admin/sign-in")
    asked = visitor.get(sent_on.headers["location"])
    assert (asked.status_code, f'name="to" value="{page}"' in asked.text) == (200, True)
    back = visitor.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD, "to": page})
    assert back.headers["location"] == f"/admin/{page}"
    assert visitor.get(back.headers["location"]).status_code == 200


def test_the_address_without_its_slash_leads_there(visitor: TestClient) -> None:
    assert visitor.get("/admin").headers["location"] == "/admin/"


def test_without_a_password_the_page_says_how_to_set_one(visitor: TestClient, app: App) -> None:
    remove_operator(app.store, "admin", now=app.clock())
    answer = visitor.get("/admin/sign-in")
    assert answer.status_code == 503
    assert "publisher admin password" in answer.text
    assert "<form" not in answer.text
    assert post_sign_in(visitor) == 503


def test_the_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(operator: TestClient, app: App) -> None:
    answer = operator.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("publisher=")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    secret = cookie.partition("=")[2].partition(";")[0]
    database = Path(app.settings.path(Path("data/publisher.db")))
    with sqlite3.connect(database) as connection:
        assert secret not in "\n".join(connection.iterdump())
        assert PASSWORD not in "\n".join(connection.iterdump())


def test_with_https_the_cookie_is_bound_to_the_host_and_to_https(app: App) -> None:
    site = app.settings.site.model_copy(update={"base_url": "https://news.example/"})
    object.__setattr__(app, "settings", app.settings.model_copy(update={"site": site}))
    with TestClient(make_asgi(app), base_url="https://news.example", follow_redirects=False) as client:
        cookie = client.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD}).headers["set-cookie"]
        assert cookie.startswith("__Host-publisher=")
        assert "Secure" in cookie.split("; ")
        assert client.get("/admin/").status_code == 200


def test_a_session_ends_by_signing_out(operator: TestClient) -> None:
    cookies = dict(operator.cookies)
    assert operator.post("/admin/sign-out", data={"csrf": csrf_of(operator)}).status_code == 303
    assert operator.get("/admin/", cookies=cookies).status_code == 303


def test_a_session_ends_after_two_hours_without_a_visit_and_after_twelve_at_most(
    operator: TestClient, clock: Time
) -> None:
    for _ in range(11):
        clock.forward(minutes=64)
        assert operator.get("/admin/").status_code == 200
    clock.forward(minutes=20)  # twelve hours and some since the password was typed
    assert operator.get("/admin/").status_code == 303
    assert post_sign_in(operator) == 303
    clock.forward(hours=2)
    assert operator.get("/admin/").status_code == 303


def test_a_new_password_ends_all_sessions(operator: TestClient, app: App) -> None:
    set_password(app.store, "admin", PASSWORD + "!", now=app.clock())
    assert operator.get("/admin/").status_code == 303
    assert post_sign_in(operator) == 403
    assert post_sign_in(operator, PASSWORD + "!") == 303


@pytest.mark.parametrize(("name", "password"), [("admin", "short"), ("Ann Lee", PASSWORD), ("a@b.example", PASSWORD)])
def test_a_name_or_password_that_will_not_do_is_refused(app: App, name: str, password: str) -> None:
    with pytest.raises(UsageError):
        set_password(app.store, name, password, now=app.clock())


def test_an_unknown_operator_cannot_be_removed_and_cannot_sign_in(app: App) -> None:
    with pytest.raises(NotFound, match="publisher admin list"):
        remove_operator(app.store, "eve", now=app.clock())
    for name in ("eve", "", "admin\0", "\ud800"):
        assert sign_in(app.store, name, PASSWORD, now=app.clock()) is None


def test_who_guesses_has_to_wait_even_with_the_right_password(visitor: TestClient) -> None:
    assert [post_sign_in(visitor, "wrong") for _ in range(6)] == [403] * 5 + [429]
    refused = visitor.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9000"},
    ],
)
def test_a_form_of_another_site_does_nothing(operator: TestClient, headers: dict[str, str]) -> None:
    token = csrf_of(operator)
    for path in ("publish", "sign-out", "sign-in"):
        answer = operator.post(f"/admin/{path}", data={"csrf": token, "act": "publish"}, headers=headers)
        assert answer.status_code == 403, path
    assert operator.get("/admin/").status_code == 200
    assert "No run yet" in operator.get("/admin/runs").text


def test_a_form_without_the_sessions_own_token_does_nothing(operator: TestClient) -> None:
    for token in ("", "0" * 64, "é"):
        assert operator.post("/admin/publish", data={"csrf": token, "act": "publish"}).status_code == 403
    assert "No run yet" in operator.get("/admin/runs").text


def test_our_own_form_is_taken_from_browsers_old_and_new(operator: TestClient) -> None:
    for headers in ({"sec-fetch-site": "same-origin"}, {"origin": "http://127.0.0.1:8000"}):
        answer = operator.post("/admin/publish", data={"csrf": csrf_of(operator)}, headers=headers)
        assert answer.status_code == 200


def test_signing_in_leads_nowhere_else(visitor: TestClient) -> None:
    for to in ("//evil.example", "https://evil.example", "/\\evil.example", "../x", "a:b", "\r\nx"):
        check_target(visitor, to)


def check_target(visitor: TestClient, to: str) -> None:
    answer = visitor.post("/admin/sign-in", data={"name": "admin", "password": PASSWORD, "to": to})
    assert answer.headers["location"].startswith("/admin/")
    assert "evil.example" not in answer.headers["location"].partition("/admin/")[0]
    assert "//" not in answer.headers["location"]


def test_pages_are_kept_by_nobody_and_framed_by_nobody_and_run_only_our_script(operator: TestClient) -> None:
    for page in (*PAGES, "sign-in"):
        headers = operator.get(f"/admin/{page}", follow_redirects=True).headers
        assert headers["cache-control"] == "no-store"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-robots-tag"] == "noindex"


def test_a_form_that_is_too_large_is_not_read(operator: TestClient) -> None:
    answer = operator.post("/admin/publish", data={"csrf": csrf_of(operator), "x": "x" * 1_100_000})
    assert answer.status_code == 413


def test_signing_in_and_out_stands_in_the_log(operator: TestClient) -> None:
    operator.post("/admin/sign-out", data={"csrf": csrf_of(operator)})
    post_sign_in(operator)
    page = operator.get("/admin/audit").text
    assert "signed in" in page
    assert "signed out" in page
    assert "password set" in page


@given(st.integers(0, 200), st.integers(1, 10), st.floats(1, 1000))
def test_waits_grow_to_a_limit_and_pass(failures: int, free: int, longest: float) -> None:
    now = 0.0
    throttle = Throttle(lambda: now, one=Allowance(free, longest), everybody=Allowance(10**6, 1))
    last = 0.0
    for number in range(failures):
        assert throttle.wait_s("192.0.2.1") == last
        throttle.failed("192.0.2.1")
        wait = throttle.wait_s("192.0.2.1")
        assert wait == 0 if number + 1 < free else last <= wait <= longest
        last = wait
    assert throttle.wait_s("192.0.2.2") == 0
    now += longest
    assert throttle.wait_s("192.0.2.1") == 0


def test_guessing_from_everywhere_slows_everybody_down_a_little() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(60):
        throttle.failed(f"198.51.100.{number}")
    assert 0 < throttle.wait_s("192.0.2.1") <= 15


@pytest.mark.parametrize("host", ["192.0.2.1", "127.0.0.1", "::1"])
def test_who_got_in_before_or_sits_at_this_machine_is_not_locked_out_by_guessing_from_everywhere(host: str) -> None:
    throttle = Throttle(lambda: 0.0)
    throttle.succeeded("192.0.2.1")
    for number in range(200):
        throttle.failed(f"198.51.100.{number}")
    assert throttle.wait_s(host) == 0
    for _ in range(20):
        throttle.failed(host)
    assert throttle.wait_s(host) > 15, "their own tries count as anybody's"


def test_one_household_counts_as_one() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("testclient") == "testclient"
