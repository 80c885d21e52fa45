"""The commands: parse, call a flow, show. Floor: below `__main__`, above everything else.

Everything heavy is imported inside the commands, so that `publisher --help` answers at once.
Exit codes: 0 done, 1 failed, 2 wrong use.
"""

from __future__ import annotations

import sys

import typer

from publisher.cli import articles, digest, issues, publish, runs, serve, site, subscribers, topics
from publisher.cli.show import complain
from publisher.errors import PublisherError, UsageError

app = typer.Typer(
    name="publisher",
    help="Topic feeds and mail digests from a store of articles.",
    epilog="First steps: `publisher demo`, then `publisher init my-site`.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _commands in (site, publish, articles, topics, digest, subscribers, issues, runs, serve):
    _commands.register(app)


def run() -> None:
    """Run the command line; no traceback reaches a user for anything that we know how to explain."""
    try:
        app()
    except KeyboardInterrupt:
        complain("stopped")
        sys.exit(130)
    except UsageError as error:
        complain(str(error))
        sys.exit(2)
    except PublisherError as error:
        complain(str(error))
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        complain(f"{error.filename or 'the system'}: {error.strerror or error}")
        sys.exit(1)
