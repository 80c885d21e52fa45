"""What lets a second run do little: what was touched, which files were read, what a trial leaves behind."""

from __future__ import annotations

import dataclasses

import pytest
from store_samples import DAY, NOW, add_issue, add_reader, article, claim, filing, new

from publisher.errors import NotFound
from publisher.model import DeliveryState, IssueState, PublishedDocument, SubscriberState
from publisher.store import Key, NewArticle, Outcome, Rendering, Store

D = DeliveryState


def test_every_change_of_content_or_filing_touches_its_article_alone(store: Store) -> None:
    with store.write() as tx:
        assert tx.articles.last_touched() == 0
        tx.articles.add([new(1), new(2)])
    changes = (
        lambda tx: tx.articles.revise(dataclasses.replace(article(1), stamp=9, revision=2), "x"),
        lambda tx: tx.filings.add([filing(1)]),
        lambda tx: tx.filings.remove("key000001", ["environment"], NOW),
    )
    for change in changes:
        with store.write() as tx:
            before = tx.articles.last_touched()
            change(tx)
            assert [item.article.key for item in tx.articles.touched_since(before)] == ["key000001"]
            before = tx.articles.last_touched()
            tx.filings.add([])
            tx.filings.remove("key000001", ["nothing"], NOW)
            assert (tx.articles.last_touched(), list(tx.articles.touched_since(before))) == (before, [])
    with store.write() as tx:
        tx.departures.withdraw("key000001", NOW)
        assert tx.articles.last_touched() > before
        assert [item.article.key for item in tx.articles.touched_since(before)] == ["key000001"]  # for its notice


def test_a_content_that_is_put_in_place_without_a_new_revision_is_not_kept_twice(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1)])
        tx.articles.revise(article(1), "other print", origin="articles/one.md")
        known = tx.articles.known(["name of 1"])["name of 1"]
        assert (known.fingerprint, known.origin, known.has_id) == ("other print", "articles/one.md", False)
        tx.articles.revise(dataclasses.replace(article(1), revision=2, stamp=2), "third")
        tx.articles.revise(dataclasses.replace(article(1), revision=3, stamp=3), "fourth")
    with store._engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT revision, fingerprint FROM article_revisions ORDER BY revision").all()
    assert [tuple(row) for row in rows] == [(1, "other print"), (2, "third")]


def test_an_article_known_by_an_id_of_its_source_is_told_apart(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add(
            [NewArticle(article(1), ("id:wco/7", "title"), "print"), NewArticle(article(2), ("t",), "print")]
        )
        assert {name: known.has_id for name, known in tx.articles.known(["title", "t"]).items()} == {
            "title": True,
            "t": False,
        }


def test_marks_of_source_files_are_kept_and_replaced(store: Store) -> None:
    with store.write() as tx:
        tx.source_files.put({})
        tx.source_files.put({"a.md": "1", "b.md": "1"})
        tx.source_files.put({"b.md": "2"})
        assert tx.source_files.all() == {"a.md": "1", "b.md": "2"}


def test_documents_outside_a_folder_are_found_by_their_path(store: Store) -> None:
    paths = ("index.html", "articles/a/index.html", "articles_of_old.html")
    with store.write() as tx:
        tx.documents.put([PublishedDocument(path, "a" * 64, 1, NOW) for path in paths])
        assert set(tx.documents.outside("articles/")) == {"index.html", "articles_of_old.html"}
        assert set(tx.documents.outside("articles_")) == {"index.html", "articles/a/index.html"}


def test_what_is_done_for_trial_is_seen_within_and_gone_afterwards(store: Store) -> None:
    with store.trial() as trial:
        with trial.write() as tx:
            tx.articles.add([new(1)])
        with pytest.raises(RuntimeError), trial.write() as tx:
            tx.articles.add([new(2)])
            raise RuntimeError
        with trial.read() as tx:
            assert tx.articles.count() == 1  # the block that raised was undone at once
    with store.read() as tx:
        assert (tx.articles.count(), tx.articles.last_touched()) == (0, 0)


def test_an_edition_keeps_the_bytes_of_its_letters(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1)])
        assert tx.issues.last_id() == 0
        issue, edition = add_issue(tx, 1, upto_seq=5)
        assert tx.issues.last_id() == issue.id
        with pytest.raises(NotFound):
            tx.issues.rendering(edition.id)
        parts = {"language": "fr", "subject": "Subject", "text": "text é\n", "html": "<p>html</p>"}
        tx.issues.keep_rendering(edition.id, **parts)
        assert tx.issues.rendering(edition.id) == Rendering(edition.id, **parts)


def test_readers_for_whom_there_was_nothing_move_on_unless_a_letter_is_on_its_way(store: Store) -> None:
    with store.write() as tx:
        tx.articles.add([new(1)])
        idle, waiting, planned = (add_reader(tx, name) for name in ("idle", "waiting", "planned"))
        first, edition = add_issue(tx, 1, upto_seq=5)
        tx.deliveries.plan(first.id, [(waiting.id, edition.id, D.PLANNED, "")], NOW)
        second, edition = add_issue(tx, 2, upto_seq=9)
        nothing = [(reader.id, None, D.SUPPRESSED, "nothing new") for reader in (idle, waiting)]
        tx.deliveries.plan(second.id, [*nothing, (planned.id, edition.id, D.PLANNED, "")], NOW)
        assert tx.deliveries.advance_idle(second.id) == 1
        assert [tx.subscribers.get(reader.id).watermark for reader in (idle, waiting, planned)] == [9, 0, 0]


@pytest.mark.parametrize("resend", [True, False])
def test_an_issue_is_finished_when_nothing_is_pending_and_not_before(store: Store, resend: bool) -> None:
    with store.write() as tx:
        tx.articles.add([new(1)])
        alice, bob = add_reader(tx, "alice"), add_reader(tx, "bob")
        issue, edition = add_issue(tx, 1, upto_seq=5)
        tx.deliveries.plan(issue.id, [(reader.id, edition.id, D.PLANNED, "") for reader in (alice, bob)], NOW)

        def end(reader: int, state: DeliveryState) -> None:
            tx.deliveries.record([Outcome(Key(issue.id, reader), state, next_attempt=NOW)], NOW)

        assert tx.deliveries.due(NOW, include_uncertain=resend) == 2
        claim(tx, NOW, 2, uncertain=False, until=NOW + DAY)
        end(alice.id, D.ACCEPTED)
        assert tx.deliveries.finish_issues(NOW, include_uncertain=resend) == 0
        end(bob.id, D.UNCERTAIN)
        assert tx.deliveries.due(NOW, include_uncertain=resend) == int(resend)
        assert tx.deliveries.finish_issues(NOW, include_uncertain=resend) == int(not resend)
        if resend:  # a reader who left is not waited for
            tx.subscribers.set_state(bob.id, SubscriberState.UNSUBSCRIBED, NOW, reason="asked")
            assert tx.deliveries.finish_issues(NOW, include_uncertain=True) == 1
        assert (tx.issues.get(issue.id).state, tx.issues.finished(issue.id)) == (IssueState.FINISHED, NOW)


def test_the_time_of_installation_is_known(store: Store) -> None:
    with store.read() as tx:
        assert tx.meta.installed_at().isoformat() == "2026-01-01T00:00:00+00:00"
