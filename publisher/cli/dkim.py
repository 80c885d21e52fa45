"""`dkim`. Floor: `cli`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from publisher.cli.show import DEFAULT_CONFIG, ConfigOption, JsonOption, echo_json, paragraph

if TYPE_CHECKING:
    from publisher.config import Settings
    from publisher.flows.dkim import KeyPlace
    from publisher.mail.dkim import DkimKey

Ed25519Option = Annotated[bool, typer.Option("--ed25519", help="An Ed25519 key, for a second signature.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The keys that sign letters.", no_args_is_help=True)
    group.command()(new)
    group.command()(record)
    app.add_typer(group, name="dkim")


def new(ed25519: Ed25519Option = False, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Make a key and print the DNS record to publish.

    The key goes to the file that dkim.key_file names, for its owner only. Letters are signed once dkim.selector is set.

    Example: publisher dkim new
    """
    from publisher.config import load
    from publisher.flows.dkim import key_places, make_key

    settings = load(config)
    place = key_places(settings)[ed25519]
    key = make_key(place)
    if as_json:
        echo_json(_plain(settings, place, key))
    else:
        _tell(settings, place, key)


def record(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print the DNS records of the keys there are.

    Example: publisher dkim record
    """
    from publisher.config import load
    from publisher.errors import UsageError
    from publisher.flows.dkim import key_places, load_key

    settings = load(config)
    keys = [(place, load_key(place)) for place in key_places(settings) if place.in_use or place.path.exists()]
    if not keys:
        raise UsageError("there is no key yet; `publisher dkim new` makes one")
    if as_json:
        echo_json([_plain(settings, place, key) for place, key in keys])
        return
    for place, key in keys:
        _tell(settings, place, key)


def _plain(settings: Settings, place: KeyPlace, key: DkimKey) -> dict[str, object]:
    from publisher.flows.dkim import signing_domain

    record = key.record(signing_domain(settings))
    return {"name": record.name, "value": record.value, "key_file": place.path, "in_use": place.in_use}


def _tell(settings: Settings, place: KeyPlace, key: DkimKey) -> None:
    """The record as a line of a zone file, and what is still to be done as a comment below it."""
    from publisher.flows.dkim import signing_domain

    typer.echo(key.record(signing_domain(settings)).zone_line)
    if not place.in_use:
        name = "selector" if place.kind == "rsa" else "ed25519_selector"
        paragraph(
            f'; not in use yet: publish this record first, then set {name} = "{place.selector}" under [dkim] '
            f"in {settings.place}"
        )
