"""The shipped rules on articles: how well they file, and the traps that they must walk around."""

import tomllib
from pathlib import Path

import pytest

from publisher.config import load
from publisher.topics import Classifier, compile_topics

ROOT = Path(__file__).parents[2]
ITEMS = tomllib.loads((Path(__file__).parent / "items.toml").read_text(encoding="utf-8"))["item"]


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return compile_topics(load(ROOT / "config.toml", {}).topics)


def filed(classifier: Classifier, title: str, text: str) -> set[str]:
    return {match.topic for match in classifier.classify(title, text)}


def test_the_shipped_rules_file_our_own_items_well(shipped: Classifier) -> None:
    right = wrong = missed = 0
    mistakes = []
    for item in ITEMS:
        expected, found = set(item["topics"]), filed(shipped, item["title"], item["text"])
        right += len(expected & found)
        wrong += len(found - expected)
        missed += len(expected - found)
        if expected != found:
            mistakes.append((item["title"], "wrong", sorted(found - expected), "missed", sorted(expected - found)))
    f1 = 2 * right / (2 * right + wrong + missed)
    assert f1 > 0.9, mistakes


def test_each_shipped_topic_is_expected_of_some_item() -> None:
    assert {topic for item in ITEMS for topic in item["topics"]} == set(load(ROOT / "config.toml", {}).topics)


@pytest.mark.parametrize(
    ("title", "text", "trap"),
    [
        ("Annual report on passport checks", "An important report.", "supply-chain-ports"),
        ("A better business environment", "The trading environment.", "environment"),
        ("Customs fair in Atlanta, Georgia", "The fair in Savannah, Georgia drew brokers.", "region-europe"),
        ("Papua New Guinea counts its lorries", "Papua New Guinea has many lorries.", "region-wca"),
        ("South Sudan opens a post", "The South Sudanese post is small.", "region-mena"),
        ("Council meets", "Members met at the headquarters in Brussels, Belgium.", "region-europe"),
        ("Workshop in Tonga", "It was funded by the Government of the United Kingdom.", "region-europe"),
        ("Workshop in Malawi", "It was paid for by CCF/Japan.", "region-asia-pacific"),
        ("Visit to Peru", "The Capacity Building Directorate came.", "capacity-building"),
        ("HS meeting", "Due to the COVID-19 pandemic the meeting was held online.", "emergency-relief"),
        ("A new director", "The Director of Compliance and Facilitation opened the door.", "trade-facilitation"),
        ("Port Louis honours officers", "The ceremony in Port Louis was short.", "supply-chain-ports"),
        ("Côte d'Ivoire reforms its tariff", "Côte d'Ivoire has a new tariff.", "environment"),
        ("The Nairobi Convention turns forty", "The Arusha Declaration and the Nairobi Convention.", "region-esa"),
    ],
)
def test_a_trap_does_not_file(shipped: Classifier, title: str, text: str, trap: str) -> None:
    assert trap not in filed(shipped, title, text)


@pytest.mark.parametrize(
    ("title", "region"),
    [
        ("Georgia hosts a meeting", "region-europe"),
        ("Türkiye hosts a meeting", "region-europe"),
        ("Turkiye hosts a meeting", "region-europe"),
        ("Israel hosts a meeting", "region-europe"),
        ("Cote d'Ivoire hosts a meeting", "region-wca"),
        ("CÔTE D’IVOIRE hosts a meeting", "region-wca"),
        ("Equatorial Guinea hosts a meeting", "region-wca"),
        ("Nigeria hosts a meeting", "region-wca"),
        ("Niger hosts a meeting", "region-wca"),
        ("Dominica hosts a meeting", "region-americas"),
        ("Dominican Republic hosts a meeting", "region-americas"),
        ("Sudan hosts a meeting", "region-mena"),
        ("South Sudan hosts a meeting", "region-esa"),
        ("Mauritius hosts a meeting", "region-esa"),
        ("Mauritania hosts a meeting", "region-wca"),
        ("Afghanistan hosts a meeting", "region-asia-pacific"),
        ("Iran hosts a meeting", "region-asia-pacific"),
    ],
)
def test_a_country_in_the_title_files_under_its_region_alone(shipped: Classifier, title: str, region: str) -> None:
    assert {topic for topic in filed(shipped, title, "The meeting took two days.") if topic[:7] == "region-"} == {
        region
    }


def test_a_member_named_once_at_the_end_of_a_long_article_does_not_file(shipped: Classifier) -> None:
    text = "The committee went through its agenda item by item and agreed on most of them. " * 20
    assert filed(shipped, "Committee concludes", text + "A delegate of Kenya thanked the chair.") == set()


def test_a_list_of_participants_does_not_file_under_every_region(shipped: Classifier) -> None:
    text = "The committee went through its agenda item by item and agreed on most of them. " * 8
    members = (
        "Present were Brazil, Canada, Chile, Ghana, Mali, Togo, Kenya, Zambia, Japan, Fiji, India, Egypt and Oman."
    )
    assert filed(shipped, "Committee concludes", text + members) == set()
