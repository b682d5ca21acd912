"""What the taxonomy finds, with texts that try to mislead it."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import Refusal
from orchestration.learn.taxonomy import DEFAULT, Taxonomy

TAXONOMY = Taxonomy.load()

HAS = [
    ("question", "He asked 'Why?' and left"),
    ("question", "ماذا تنتظر؟"),
    ("question", "本当ですか\uff1f"),
    ("second_person", "You're late"),
    ("second_person", "You\u2019re late"),
    ("second_person", "Don't let it ruin YOUR day"),
    ("second_person", "y\u200bou know"),
    ("first_person_plural", "JOIN US TODAY"),
    ("first_person_plural", "Let's go"),
    ("first_person_singular", "I\u2019ve had it"),
    ("third_person_singular", "She'll be right"),
    ("third_person", "They're gone"),
    ("impersonal_pronoun", "It's a tea towel"),
    ("place", "What the US eats"),
    ("place", "The U.S. Senate"),
    ("number", "7 mugs"),
    ("number", "Only £12.50"),
    ("number", "20% off"),
    ("number", "The 2,200 looms of Harris"),
    ("number", "Our 3rd workshop"),
    ("number", "٣ أكواب"),
    ("number_word", "Three mugs"),
    ("urgency", "Last chance"),
    ("urgency", "Only 12 left"),
    ("urgency", "Don\u2019t miss out"),
    ("curiosity", "You won\u2019t believe this jug"),
    ("curiosity", "Here's why"),
    ("discount", "Half price mugs"),
    ("discount", "£5 off"),
    ("discount", "Take 20 % off"),
    ("discount", "Save up to 30%"),
    ("social_proof", "Five-star towels"),
    ("social_proof", "A 5-star review"),
    ("emoji", "Hello 👩🏽‍🚀"),
    ("emoji", "Flag 🇬🇧"),
    ("emoji", "1️⃣ thing"),
    ("emoji", "I ❤️ mugs"),
    ("quote", "Why \u2018cheap\u2019 costs more"),
    ("quote", "&quot;Never again&quot;"),
    ("ellipsis", "And so…"),
    ("colon", "Mugs: a history"),
    ("all_caps_word", "STOP buying bad mugs"),
    ("list", "7 beautiful reasons to bake"),
    ("list", "Three ways to fold"),
    ("imperative_start", "Meet the weaver"),
    ("demonstrative_start", "“This” is a jug"),
    ("several_sentences", "It broke. We mended it."),
    ("brackets", "Mugs (blue)"),
]
HAS_NOT = [
    ("question", "See https://shop.test/mugs?colour=blue"),
    ("second_person", "A young man from Youghal"),
    ("second_person", "Give it a second"),
    ("first_person_plural", "The US economy"),
    ("first_person_singular", "Wool, i.e. warmth"),
    ("impersonal_pronoun", "A career in IT"),
    ("number", "Three mugs"),
    ("number", "B2B and MP3"),
    ("number", "Read www.shop.test/2024/10"),
    ("number", "Write to mugs24@shop.test"),
    ("emoji", "Acme™ and © and ®"),
    ("emoji", "שלום עולם"),
    ("quote", "The workers' mugs and the weavers' looms"),
    ("quote", "Don't say it isn't"),
    ("colon", "Open at 10:30"),
    ("all_caps_word", "The US and the UK on TV"),
    ("all_caps_word", "A mug"),
    ("social_proof", "A narrated tour"),
    ("discount", "Wholesale looms"),
    ("urgency", "The lasting charm"),
    ("imperative_start", "A watch"),
    ("several_sentences", "It broke…"),
]


@pytest.mark.parametrize(("tag", "text"), HAS)
def test_it_finds(tag: str, text: str) -> None:
    assert tag in TAXONOMY.extract(text)


@pytest.mark.parametrize(("tag", "text"), HAS_NOT)
def test_it_is_not_misled(tag: str, text: str) -> None:
    assert tag not in TAXONOMY.extract(text)


def test_it_has_many_described_tags() -> None:
    assert len(TAXONOMY.names) >= 33
    assert all(TAXONOMY.describe(name).endswith(".") for name in TAXONOMY.names)
    with pytest.raises(Refusal, match="no such tag"):
        TAXONOMY.describe("brevity")


@pytest.mark.parametrize("text", [None, "", "   ", "\u200b\n\t", "\ufeff"])
def test_nothing_to_read_has_no_tags(text: str | None) -> None:
    assert TAXONOMY.extract(text) == frozenset()


@given(st.text(max_size=300))
def test_any_text_is_read_the_same_within_white_space(text: str) -> None:
    found = TAXONOMY.extract(text)
    assert found <= set(TAXONOMY.names)
    assert TAXONOMY.extract(f" \n{text}\t\u3000") == found
    assert TAXONOMY.extract_many([text, text]) == [found, found]


@given(
    st.lists(
        st.sampled_from(
            [
                "mugs",
                "you",
                "your",
                "last",
                "chance",
                "here's",
                "why",
                "rated",
                "half",
                "price",
                "the",
                "3",
                "?",
                "won't",
            ]
        ),
        min_size=1,
    )
)
def test_capitals_do_not_hide_words(words: list[str]) -> None:
    text = " ".join(words)
    assert TAXONOMY.extract(text.upper()) - {"all_caps_word"} == TAXONOMY.extract(text)


@pytest.mark.parametrize(
    "unit",
    ["a", "1", "'", '"', "(", ".", "a.", "a-", "@", "1 ", "you ", "only 1 ", "👩‍🚀", "\u200d", "£9", "ﷺ", "http://"],
)
def test_a_hostile_text_takes_linear_time(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    begin = time.process_time()
    TAXONOMY.extract(text)
    assert time.process_time() - begin < 5


def test_the_version_follows_what_is_found_and_not_what_is_said(tmp_path: Path) -> None:
    content = DEFAULT.read_text(encoding="utf-8")
    reworded, changed = tmp_path / "reworded.yaml", tmp_path / "changed.yaml"
    reworded.write_text(content.replace("Asks a question.", "Contains a question."), encoding="utf-8")
    changed.write_text(content.replace("at_most: 45", "at_most: 46"), encoding="utf-8")
    assert Taxonomy.load(reworded).version == TAXONOMY.version
    assert Taxonomy.load(changed).version != TAXONOMY.version


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("tags: [", "not valid YAML"),
        ("tags: {}", "tags: must not be empty"),
        ("- a", "the file"),
        ("tags: {a: {describe: x, rules: [{kind: magic}]}}", "magic"),
        ("tags: {a: {describe: x, rules: [{kind: pattern, any: ['(']}]}}", "does not compile"),
        ("tags: {a: {describe: x, rules: [{kind: pattern, any: ['(a+)+b']}]}}", "without bound"),
        ("tags: {a: {describe: x, rules: [{kind: pattern, any: ['(?:a{1,9}){1,9}b']}]}}", "repeats a group"),
        ("tags: {a: {describe: x, rules: [{kind: length, of: words}]}}", "at_least or at_most"),
        ("tags: {a: {describe: x, rules: [{kind: words, any: [a], at: end}]}}", "anywhere"),
        ("tags: {a: {describe: x, rules: [{kind: words, any: ['?!']}]}}", "no word"),
    ],
)
def test_a_broken_file_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / "taxonomy.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(Refusal, match=reason):
        Taxonomy.load(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot be read"):
        Taxonomy.load(tmp_path / "absent.yaml")
