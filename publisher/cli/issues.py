"""`issues`. Floor: `cli`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from publisher.cli.show import (
    DEFAULT_CONFIG,
    MOST,
    ConfigOption,
    JsonOption,
    as_plain,
    complain,
    echo_json,
    facts,
    moment,
    number,
    opened,
    table,
)

if TYPE_CHECKING:
    from publisher.model import Edition, IssueSum

IssueArgument = Annotated[str, typer.Argument(metavar="ISSUE", help="Its name, e.g. weekly-1.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The numbered sendings of the digests.", no_args_is_help=True)
    group.command("list")(list_)
    group.command()(show)
    group.command()(retry)
    group.command()(pause)
    group.command()(resume)
    group.command()(cancel)
    group.command()(approve)
    group.command()(refuse)
    app.add_typer(group, name="issues")


def list_(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=MOST, help="So many, the newest first.")] = 30,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List issues, skipped slots included, the newest first.

    Example: publisher issues list
    """
    from publisher.model import DeliveryState

    with opened(config) as app, app.store.read() as tx:
        listed = [(issue, tx.deliveries.sum(issue.id)) for issue in tx.issues.list(limit=limit)]
    if as_json:
        echo_json([{**_plain(issue), **_sum(total)} for issue, total in listed])
        return
    table(
        ["issue", "state", "composed", "accepted", "pending", "reason"],
        [
            (
                issue.name if issue.number is not None else issue.frequency,
                issue.state,
                moment(issue.composed),
                f"{total.states.get(DeliveryState.ACCEPTED, 0):,} of {total.selected:,}",
                f"{total.pending:,}",
                issue.reason,
            )
            for issue, total in listed
        ],
        empty="no issues yet; `publisher publish --digest weekly` makes one",
    )


def show(issue: IssueArgument, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show an issue and what happened to its letters.

    Its editions, the deliveries in each state, whether their sum is right, and the letters that met trouble.

    Example: publisher issues show weekly-1
    """
    from publisher.model import OVER, DeliveryState

    with opened(config) as app:
        with app.store.read() as tx:
            found = tx.issues.by_name(issue)
            total = tx.deliveries.sum(found.id)
            editions = tx.issues.editions(found.id)
            bounced = tx.bounces.of_issue(found.id)
            failed = [
                delivery
                for state in (DeliveryState.REJECTED, DeliveryState.DEFERRED, DeliveryState.UNCERTAIN)
                for delivery in tx.deliveries.of_issue(found.id, state=state)
            ]
        url = app.links.issue(found.name)
    if found.state in OVER:
        failed = [replace(delivery, next_attempt=None) for delivery in failed]
    if as_json:
        echo_json(
            {**_plain(found), **_sum(total), "editions": editions, "page": url, "troubled": failed, "bounced": bounced}
        )
        return
    facts(
        [
            ("issue", found.name),
            ("state", found.state),
            ("composed", moment(found.composed)),
            ("slot", moment(found.slot) or "forced by hand"),
            ("page", url),
            ("editions", _editions(editions)),
            ("reason", found.reason),
            ("letters", _letters(total)),
            ("came back", ", ".join(f"{count:,} {kind}" for kind, count in bounced.items())),
        ]
    )
    if not total.balances:
        complain(f"{found.name}: the sum is wrong, some reader has no record of their letter; please report it")
    if failed:
        typer.echo()
        table(
            ["reader no.", "state", "attempts", "next attempt", "the relay said"],
            [(d.subscriber_id, d.state, d.attempts, moment(d.next_attempt), d.reply or d.reason) for d in failed[:50]],
        )


def retry(issue: IssueArgument, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Plan an issue's failed letters once more.

    Those that were rejected, given up or left uncertain. `publisher deliver` or the next run sends them; those of a
    paused issue wait until it is resumed. A cancelled issue is over for good.

    Example: publisher issues retry weekly-1
    """
    from publisher.flows import issue_desk
    from publisher.model import IssueState

    with opened(config) as app:
        again = issue_desk.retry(app.store, issue, now=app.clock())
    if as_json:
        echo_json(again)
    elif not again.planned:
        typer.echo(f"{again.issue}: no letter to plan again; {again.reason}")
    else:
        planned = f"{number(again.planned, 'letter')} planned again"
        follows = {
            IssueState.PAUSED: f"{again.issue} is paused, `publisher issues resume` sends them",
            IssueState.WAITING: f"{again.issue} waits for approval, `publisher issues approve` sends them",
        }
        typer.echo(f"{planned}; {follows.get(again.state, '`publisher deliver` sends them')}")


def pause(issue: IssueArgument, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Stop sending an issue for now.

    Also while it is being sent: letters in hand are finished, then nothing more goes out until it is resumed.

    Example: publisher issues pause weekly-1
    """
    from publisher.flows import issue_desk

    with opened(config) as app:
        name, waiting = issue_desk.pause(app.store, issue, resend=app.parts.post.resend)
    if as_json:
        echo_json({"issue": name, "waiting": waiting})
    else:
        typer.echo(f"{name} is paused, {number(waiting, 'letter')} waiting; `publisher issues resume` goes on")


def resume(issue: IssueArgument, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Let a paused issue be sent again.

    `publisher deliver` or the next run goes on where it was.

    Example: publisher issues resume weekly-1
    """
    from publisher.flows import issue_desk

    with opened(config) as app:
        name, waiting = issue_desk.resume(app.store, issue, resend=app.parts.post.resend)
    if as_json:
        echo_json({"issue": name, "waiting": waiting})
    else:
        typer.echo(f"{name}: {number(waiting, 'letter')} waiting; `publisher deliver` sends them")


def cancel(issue: IssueArgument, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """End an issue that is being sent or paused, for good.

    Who has its letter keeps it. The others get nothing of it; its articles come to them with the next issue, unless
    they are withdrawn before.

    Example: publisher issues cancel weekly-1
    """
    from publisher.flows import issue_desk

    with opened(config) as app:
        name, left = issue_desk.cancel(app.store, issue, now=app.clock())
    if as_json:
        echo_json({"issue": name, "not_sent": left})
    else:
        typer.echo(f"{name} is cancelled; {number(left, 'letter')} will not be sent")


def approve(issue: IssueArgument, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Let an issue that waits for approval be sent.

    `publisher serve` sends it within a minute, else `publisher deliver` or the next run.

    Example: publisher issues approve weekly-1
    """
    from publisher.flows.approval import approve as flow

    with opened(config) as app:
        done = flow(app.store, issue, app.clock())
        with app.store.read() as tx:
            letters = tx.deliveries.pending(done.id)
    if as_json:
        echo_json({"issue": done.name, "state": done.state, "waiting": letters})
    else:
        typer.echo(f"{done.name} is approved: {number(letters, 'letter')} to be sent")


def refuse(issue: IssueArgument, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Send nothing of an issue that waits for approval.

    Its articles come with the next issue, unless they are withdrawn before.

    Example: publisher issues refuse weekly-1
    """
    from publisher.flows.approval import refuse as flow

    with opened(config) as app:
        done = flow(app.store, issue, app.clock())
    if as_json:
        echo_json({"issue": done.name, "state": done.state})
    else:
        typer.echo(f"{done.name} is not sent")


def _editions(editions: Sequence[Edition]) -> str:
    sizes = sorted(len(edition.article_keys) for edition in editions)
    if not sizes:
        return "none"
    smallest = f"{sizes[0]} to " if sizes[0] != sizes[-1] else ""
    return f"{len(sizes):,}, of {smallest}{number(sizes[-1], 'article')}"


def _letters(total: IssueSum) -> str:
    states = ", ".join(f"{count:,} {state}" for state, count in total.states.items()) or "none"
    return f"{total.selected:,} selected = {states}"


def _plain(issue: object) -> dict[str, object]:
    plain: dict[str, object] = as_plain(issue)
    return plain


def _sum(total: IssueSum) -> dict[str, object]:
    states = {str(state): count for state, count in total.states.items()}
    return {"selected": total.selected, "states": states, "pending": total.pending, "balances": total.balances}
