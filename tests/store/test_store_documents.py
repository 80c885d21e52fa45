from __future__ import annotations

from store_samples import DAY, NOW

from publisher.model import PublishedDocument
from publisher.store import Store


def test_documents_are_put_replaced_and_removed(store: Store) -> None:
    first = PublishedDocument("feeds/all.atom", "a" * 64, 100, NOW)
    second = PublishedDocument("index.html", "b" * 64, 200, NOW)
    later = PublishedDocument("index.html", "c" * 64, 300, NOW + DAY)
    with store.write() as tx:
        tx.documents.put([])
        tx.documents.put([first, second])
        tx.documents.put([later])
        assert tx.documents.all() == {"feeds/all.atom": first, "index.html": later}
        assert tx.documents.some(["index.html", "nothing"]) == {"index.html": later}
        tx.documents.remove(["index.html", "nothing"])
        assert tx.documents.all() == {"feeds/all.atom": first}


def test_more_documents_than_one_statement_takes(store: Store) -> None:
    many = [PublishedDocument(f"articles/{n}/index.html", "a" * 64, n, NOW) for n in range(6000)]
    with store.write() as tx:
        tx.documents.put(many)
        paths = [document.path for document in many]
        assert tx.documents.some(paths) == {document.path: document for document in many}
        tx.documents.remove(paths)
        assert tx.documents.all() == {}


def test_a_fact_is_set_and_set_again(store: Store) -> None:
    with store.write() as tx:
        assert tx.meta.get("rules") is None
        tx.meta.set("rules", "one")
        tx.meta.set("rules", "two")
        assert tx.meta.get("rules") == "two"
