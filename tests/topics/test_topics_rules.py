"""The rule language, the errors of impossible rules, and what the classifier says of its decisions."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.config import TopicSettings
from publisher.errors import ConfigError
from publisher.model import TopicGroup
from publisher.topics import NAMED_BY_ARTICLE, Classifier, Match, Refiling, compile_topics, plan_refiling


def topic(**rules: object) -> TopicSettings:
    return TopicSettings.model_validate({"label": "A topic", "threshold": 1, **rules})


def one(**rules: object) -> Classifier:
    return compile_topics({"one": topic(**rules)})


def hit(classifier: Classifier, text: str) -> tuple[str, ...]:
    """The words that a title made of `text` is filed for; empty if it is not."""
    return next((match.words for match in classifier.classify(text, "")), ())


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("waste", "Wastes of all kinds"),
        ("plastic waste", "PLASTIC\n  wastes"),
        ("plastic waste", "plastic-waste rules"),
        ("Asia Pacific", "the Asia/Pacific region"),
        ("Türkiye", "Tu\u0308rkiye"),
        ("Côte d'Ivoire", "COTE D’IVOIRE"),
        ("harmonized", "harmonised goods"),
        ("training centre", "training centers"),
        ("studies", "a study"),
        ("AEO", "three AEOs"),
        ("Kenya", "Kenya's port"),
        ("(funded|financed) by ... Japan", "financed by the Government of Japan"),
        ("single (electronic|) window", "a single window"),
        ("single (electronic|) window", "a single electronic window"),
        ("customs", "ﬁles of cus\u00adtoms"),
        ("safety and security", "Safety & Security Programme"),
        ("Plan B", "no plan b at hand"),
        ("A4 paper", "on a4 paper"),
        ("Straße", "STRASSE"),
    ],
)
def test_a_rule_matches_the_ways_people_write_it(rule: str, text: str) -> None:
    assert hit(one(words=[rule]), text)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("port", "report, support, important, passport"),
        ("AEO", "aeo in small letters"),
        ("SAFE", "a safe border"),
        ("plastic waste", "plastic, waste and timber"),
        ("plastic waste", "It was plastic. Waste followed"),
        ("funded by ... Japan", "funded by a friend. Japan was there"),
        ("funded by ... Japan", "funded by one two three four five six seven eight nine Japan"),
        ("Niger", "Nigeria"),
        ("HS2022", "hs2022"),
        ("plastic waste", "About plastic\n \nWaste followed"),
        ("plastic waste", "(plastic) waste"),
        ("plastic waste", "“plastic” waste"),
    ],
)
def test_a_rule_does_not_match_what_only_looks_like_it(rule: str, text: str) -> None:
    assert not hit(one(words=[rule]), text)


@pytest.mark.parametrize(
    ("local", "plain"),
    [
        *(("Diyarbakır", "Diyarbakir"), ("Tromsø", "Tromso"), ("Łódź", "Lodz"), ("Đakovo", "Dakovo")),
        *(("Ærø", "Aero"), ("Œuvre", "Oeuvre"), ("Þingeyri", "Thingeyri"), ("Seyðisfjörður", "Seydisfjordur")),
    ],
)
def test_a_name_is_found_with_and_without_the_letters_of_its_language(local: str, plain: str) -> None:
    for rule in (local, plain):
        for text in (local, plain, local.upper(), plain.upper()):
            assert hit(one(words=[rule]), f"The port of {text.title()}"), (rule, text)


@pytest.mark.parametrize(
    ("one_way", "another"),
    [
        *(("class", "classes"), ("bush", "bushes"), ("batch", "batches"), ("box", "boxes"), ("country", "countries")),
        *(("tie", "ties"), ("port", "ports"), ("Kenya", "Kenya’s"), ("Kenya", "Kenya's"), ("Kenya", "Kenyaʼs")),
        *(("organisation", "organizations"), ("harmonising", "harmonizing"), ("harmonised", "harmonized")),
        *(("harmonise", "harmonize"), ("centre", "center"), ("programme", "programs")),
    ],
)
def test_plural_possessive_and_british_spelling_are_the_same_word(one_way: str, another: str) -> None:
    for rule, text in ((one_way, another), (another, one_way)):
        assert hit(one(words=[rule]), f"about {text} here"), (rule, text)


@pytest.mark.parametrize(
    ("rule", "text"), [("glass", "glas"), ("bus", "bu"), ("press", "pres"), ("wise", "wize"), ("gas", "ga")]
)
def test_a_short_word_or_one_in_double_s_keeps_its_end(rule: str, text: str) -> None:
    assert not hit(one(words=[rule]), text)
    assert hit(one(words=[rule]), rule)


@pytest.mark.parametrize(
    ("between", "matches"),
    [
        ("", True),
        ("one two three four five six seven eight", True),
        ("one, two, three, four, five, six, seven, eight,", True),
        ("“one”, “two”, “three”, “four”, “five”, “six”, “seven”, “eight”,", True),
        ("“one”, “two”, “three”, “four”, “five”, “six”, “seven”, “eight”, “nine”", False),
        ("one two three four five six seven eight nine", False),
        ("one. Two", False),
        ("a Japanese and", True),
    ],
)
@pytest.mark.parametrize("gap", ["...", "…", " ... "])
def test_a_gap_is_up_to_eight_words_of_one_sentence(between: str, matches: bool, gap: str) -> None:
    text = f"Trains funded by {between} Japan again"
    assert bool(hit(one(phrases=[f"funded by{gap}Japan"]), text)) is matches
    assert bool(hit(one(phrases=[f"trains{gap}by{gap}Japan again"]), text)) is matches


def test_behind_a_gap_the_first_place_where_all_of_the_rest_stands_counts() -> None:
    assert hit(one(phrases=["funded by ... South Korea"]), "funded by South Africa and South Korea")
    assert hit(one(phrases=["led by ... AEO"]), "led by an aeo and an AEO")
    assert not hit(one(phrases=["led by ... AEO"]), "led by an aeo alone")


@pytest.mark.parametrize(
    ("text", "matches"),
    [("AEO", True), ("AEOs", True), ("AEO's", True), ("AEO’s", True), ("Aeo", False), ("AEOS", False)],
)
def test_an_acronym_may_have_an_ending_in_small_letters(text: str, matches: bool) -> None:
    assert bool(hit(one(words=["AEO"]), f"every {text} programme")) is matches


@pytest.mark.parametrize("invisible", ["\u00ad", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff"])
def test_what_nobody_sees_within_a_word_parts_it_not(invisible: str) -> None:
    assert hit(one(words=["customs"]), f"the cus{invisible}toms of a port")


def test_of_a_text_of_any_length_the_beginning_is_read() -> None:
    classifier = one(words=["waste"])
    assert classifier.explain("Title", "no " * 10_000 + "waste")[0].hits
    assert not classifier.explain("Title", "no " * 20_000 + "waste")[0].hits


def test_a_phrase_uses_up_its_words() -> None:
    considered = one(phrases=["plastic waste"], words=["waste"]).explain("Plastic waste", "")[0]
    assert [str(found) for found in considered.hits] == ['phrase "plastic waste" in the title']


def test_unless_hides_its_words_and_is_reported() -> None:
    classifier = one(words=["environment"], unless=["business environment"])
    assert hit(classifier, "A business environment") == ()
    assert hit(classifier, "A business environment and the environment") == ("environment",)
    held_back = classifier.explain("A business environment", "")[0].held_back
    assert [found.words for found in held_back] == ["business environment"]


def test_a_match_names_the_strongest_rule_and_the_words_as_they_stand() -> None:
    classifier = one(phrases=["plastic waste"], words=["ocean"])
    (match,) = classifier.classify("Ocean news", "News. " * 100 + "A ship full of\nPlastic-Wastes came.")
    assert match.rule == 'word "ocean" in the title, and 1 more'
    assert match.words == ("Ocean", "Plastic-Wastes")


def test_the_summary_counts_unless_it_repeats_the_text() -> None:
    classifier = one(words=["waste"])
    once = classifier.explain("Title", "Waste came ashore.")[0].score
    assert classifier.explain("Title", "Waste came ashore.", "Waste came…")[0].score == once
    assert classifier.explain("Title", "Waste came ashore.", "About waste.")[0].score > once


def test_what_stands_far_below_never_files_alone() -> None:
    classifier = one(phrases=["waste", "timber", "ivory"], threshold=4)
    text = "One two three four five. " * 20
    assert not classifier.classify("Title", text + "Waste, timber, ivory, waste, timber, ivory.")
    assert classifier.classify("Timber", text + "Waste, timber, ivory, waste, timber, ivory.")


def test_a_passing_mention_next_to_a_strong_topic_of_its_group_is_left_out() -> None:
    region = {"group": TopicGroup.REGION, "share": 0.5}
    topics = {"esa": topic(words=["Kenya", "Zambia", "Malawi"], **region), "wca": topic(words=["Mali"], **region)}
    classifier = compile_topics(topics)
    considered = classifier.explain("Kenya, Zambia and Malawi", "A guest from Mali came.")
    assert [one.filed for one in considered] == [True, False]
    assert considered[1].verdict.startswith("not filed: 2.25 is less than 0.5 of 9.00")


def test_patterns_see_whole_articles_and_leave_used_words_alone() -> None:
    classifier = one(patterns=[r"\bHS ?20[0-9]{2}\b"], unless=["HS 2012"])
    assert hit(classifier, "Old HS 2012, new HS 2028") == ("HS 2028",)


@pytest.mark.parametrize(
    ("rules", "key", "problem"),
    [
        ({"phrases": ["waste", " "]}, "topics.one.phrases[1]", "is empty"),
        ({"words": ["..."]}, "topics.one.words[0]", "is empty"),
        ({"words": ["a (b|c"]}, "topics.one.words[0]", "brackets"),
        ({"unless": ["a|b"]}, "topics.one.unless[0]", "brackets"),
        ({"hints": ["(a|b|c|d|e|f|g)" * 4]}, "topics.one.hints[0]", "variants"),
        ({"hints": ["a ... b ... c ... d"]}, "topics.one.hints[0]", "gaps"),
    ],
)
def test_an_impossible_rule_is_refused_by_its_dotted_path(rules: dict[str, object], key: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=r"topics\.one") as caught:
        one(**rules)
    assert caught.value.key == key
    assert problem in caught.value.problem


@pytest.mark.parametrize("pattern", [r"\(x+\)+", r"[(+]x+[)*]+", r"(ab)+c", r"a[]+]b{2}"])
def test_an_innocent_pattern_is_accepted(pattern: str) -> None:
    one(patterns=[pattern])


def test_the_fingerprint_changes_with_the_rules_and_with_nothing_else() -> None:
    base = topic(words=["a word", "b word"])
    first = compile_topics({"one": base, "two": base}).fingerprint
    renamed = base.model_copy(update={"label": "Other", "description": "Other"})
    assert compile_topics({"two": base, "one": renamed}).fingerprint == first
    for change in ({"words": ("a word",)}, {"threshold": 2.0}, {"share": 0.5}, {"unless": ("c",)}, {"group": "region"}):
        assert compile_topics({"one": base.model_copy(update=change), "two": base}).fingerprint != first


def test_matches_come_in_the_order_of_the_config() -> None:
    classifier = compile_topics({"b": topic(words=["waste"]), "a": topic(words=["waste"])})
    assert [match.topic for match in classifier.classify("Waste", "")] == ["b", "a"]


def test_refiling_adds_new_topics_and_names_those_that_nothing_speaks_for() -> None:
    matches = [Match("waste", "word", ("waste",), 3.0), Match("ports", "phrase", ("port",), 6.0)]
    current = {"all": "", "waste": "an older rule", "timber": "gone"}
    assert plan_refiling(current, matches) == Refiling((("ports", "phrase"),), ("timber",))


def test_topics_named_by_the_article_win_over_rules() -> None:
    matches = [Match("waste", "word", ("waste",), 3.0)]
    current = {"all": "", "timber": NAMED_BY_ARTICLE, "ports": "a rule"}
    planned = plan_refiling(current, matches, explicit=("timber", "ivory"))
    assert planned == Refiling((("ivory", NAMED_BY_ARTICLE),), ("ports",))


RULES = one(
    phrases=["plastic waste", "côte d'ivoire"],
    words=["port"],
    hints=["green ... sea"],
    unless=["port wine"],
    patterns=["x{3}"],
)
PLAIN = st.lists(
    st.sampled_from(["plastic", "waste", "port", "wine", "green", "sea", "côte", "d'ivoire", "xxx"]), max_size=12
)


@given(st.text(), st.text(), st.text())
@settings(max_examples=150)
def test_no_text_makes_it_fail(title: str, text: str, summary: str) -> None:
    assert len(RULES.explain(title, text, summary)) == 1


@given(PLAIN, st.sampled_from(["  ", "\t", " \n", "\u00a0"]))
@settings(max_examples=100)
def test_case_white_space_and_unicode_form_change_nothing(words: list[str], space: str) -> None:
    def score(text: str) -> float:
        return RULES.explain(text, "")[0].score

    text = " ".join(words)
    forms = [unicodedata.normalize("NFD", text), unicodedata.normalize("NFKC", text)]
    for other in (text.upper(), text.capitalize(), space.join(words), *forms):
        assert score(other) == score(text)


def test_a_huge_and_hostile_text_is_read_in_a_moment() -> None:
    classifier = one(patterns=["a*b*c*d", "xa+y"], hints=["a ... a ... b"])
    classifier.classify("a" * 10_000, "a " * 500_000 + "a" * 500_000)  # a rule that backtracks would never come back
