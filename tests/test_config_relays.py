"""The settings of relays and domains: told apart by name, refused with the key that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from publisher.config import Settings, from_values
from publisher.errors import ConfigError

MAIN = {"name": "main", "host": "smtp.customs.example"}


def made(values: dict[str, Any], environ: dict[str, str] | None = None) -> Settings:
    return from_values(values, environ or {}, root=Path("/srv/site"))


def test_the_one_relay_of_a_simple_site_is_that_of_its_smtp_section() -> None:
    settings = made({"smtp": {"host": "smtp.customs.example", "port": 465, "security": "tls", "connections": 7}})
    (relay,) = settings.relays
    assert (relay.name, relay.host, relay.port, relay.security, relay.connections) == (
        "smtp", "smtp.customs.example", 465, "tls", 7,
    )  # fmt: skip
    assert not relay.has_rate
    assert made({}).relays == (), "to the local outbox"


def test_the_password_of_each_relay_comes_from_its_variable_or_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from the file\n")
    settings = made(
        {"relay": [MAIN, {"name": "second-one", "host": "b.example"}]},
        {
            "PUBLISHER_RELAY_MAIN_PASSWORD": "from the variable",
            "PUBLISHER_RELAY_SECOND_ONE_PASSWORD_FILE": str(tmp_path / "password"),
        },
    )
    assert [relay.password.get_secret_value() for relay in settings.relays] == ["from the variable", "from the file"]
    assert "from the" not in repr(settings)


REFUSED = {
    "two kinds": ({"smtp": {"host": "a.example"}, "relay": [MAIN]}, "smtp.host and [[relay]] name relays both"),
    "one name twice": ({"relay": [MAIN, MAIN]}, "relay[1].name: 'main' is the name of relay[0] already"),
    "no host": ({"relay": [{"name": "main"}]}, "relay[0].host: is missing"),
    "no name": ({"relay": [{"host": "a.example"}]}, "relay[0].name: is missing"),
    "a bad name": ({"relay": [{**MAIN, "name": "Main relay"}]}, "relay[0].name: not a relay's name"),
    "an unknown key": ({"relay": [{**MAIN, "wieght": 2}]}, "relay[0].wieght: unknown setting; did you mean 'weight'?"),
    "no share": ({"relay": [{**MAIN, "weight": 0}]}, "relay[0].weight: "),
    "a negative limit": ({"relay": [{**MAIN, "letters_per_hour": -1}]}, "relay[0].letters_per_hour: "),
    "a login in clear text": (
        {"relay": [{**MAIN, "username": "u", "security": "none"}]}, "relay[0]: a login over security = 'none'",
    ),
    "half a plan": ({"relay": [{**MAIN, "warm_up": [1, 2]}]}, "relay[0]: warm_up and warm_up_from go together"),
    "a plan that shrinks": (
        {"relay": [{**MAIN, "warm_up_from": "2026-03-02", "warm_up": [100, 50]}]}, "relay[0].warm_up: the plan must",
    ),
    "a day of nothing": (
        {"relay": [{**MAIN, "warm_up_from": "2026-03-02", "warm_up": [0, 50]}]}, "relay[0].warm_up: a day of the plan",
    ),
    "an empty cap": ({"domain": [{"domain": "a.example"}]}, "domain[0]: a domain without a limit"),
    "no domain": ({"domain": [{"domain": "a@b.example", "connections": 1}]}, "domain[0].domain: not a domain name"),
    "one domain twice": (
        {"domain": [{"domain": "A.example", "connections": 1}, {"domain": "a.example", "connections": 2}]},
        "domain[1].domain: 'a.example' is in domain[0] already",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_with_relays_is_said_with_its_key(name: str) -> None:
    values, expected = REFUSED[name]
    with pytest.raises(ConfigError) as caught:
        made(values)
    assert str(caught.value).startswith(f"config.toml: {expected}")


def test_the_variable_of_a_relay_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="environment: PUBLISHER_RELAY_MIAN_PASSWORD: unknown setting; did you mean"):
        made({"relay": [MAIN]}, {"PUBLISHER_RELAY_MIAN_PASSWORD": "x"})
