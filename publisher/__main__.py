"""The entry point: `publisher` and `python -m publisher`. Floor: the highest."""

from __future__ import annotations


def main() -> None:
    from publisher.cli import run

    run()


if __name__ == "__main__":
    main()
