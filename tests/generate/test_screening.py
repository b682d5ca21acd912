"""Screening finds what is in a text, and nothing in the lines the offline generator writes."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from orchestration.edges.model_book import MemoryBook
from orchestration.edges.moderation import UNAVAILABLE, Moderator
from orchestration.generate import content
from orchestration.generate.grammar import grammar_of
from orchestration.generate.library import Library, likeness
from orchestration.generate.reading_level import reading_level
from orchestration.generate.screening import Screen, Written
from orchestration.learn.taxonomy import Taxonomy
from orchestration.programs.channel_limits import graphemes, limits_of
from orchestration.programs.definition import Model, read_program
from orchestration.records import CreativeRequest
from tests.fakes.model_server import FAULTS, error, model_server, moderation

TAXONOMY = Taxonomy.load()
PROGRAM = read_program(Path(__file__).parents[2] / "orchestration" / "programs" / "subject_lines.yaml")
REQUEST = CreativeRequest("subject_lines", 202610, "new", "exploit", 1, frozenset({"question"}))


def screen(*past: str) -> Screen:
    return Screen(PROGRAM, TAXONOMY, Library(past, 0.88))


def test_a_clean_text_has_clean_facts() -> None:
    facts = screen("Oak boards are back").facts(Written(REQUEST, "Is this the mug?", "openai", cost_usd=0.01))
    assert facts == {
        "program": "subject_lines",
        "channel": "email",
        "approval": "required",
        "dry_run": True,
        "segment": "new",
        "role": "exploit",
        "text": "Is this the mug?",
        "generator": "openai",
        "is_fallback": False,
        "length": 16,
        "length_limit": 72,
        "reading_level": None,
        "links": [],
        "banned_claims": [],
        "disclosures_missing": [],
        "personal_data": [],
        "leakage": [],
        "moderation": None,
        "tags_missing": [],
        "tags_unwanted": [],
        "near_duplicate_of": None,
        "cost_usd": 0.01,
    }


@pytest.mark.parametrize(
    ("text", "fact", "found"),
    [
        ("See https://shop.example/a?b or shop.com/x", "links", ["https://shop.example/a?b", "shop.com/x"]),
        ("The letter is at harbour-sale.store/login", "links", ["harbour-sale.store/login"]),
        ("Verify at harbour.ru now", "links", ["harbour.ru"]),
        ("See evil\u3002com, evil\u2024com and evil\uff0ecom", "links", ["evil.com", "evil.com", "evil.com"]),
        ("At letters.harbour.co.uk: mugs", "links", ["letters.harbour.co.uk"]),
        ("\u8be6\u60c5harbour.ru\u770b", "links", ["\u8be6\u60c5harbour.ru"]),
        (
            "harbour.anything/login or hxxps://a or xn--80ak.xn--p1ai",
            "links",
            ["harbour.anything/login", "hxxps://a", "xn--80ak.xn--p1ai"],
        ),
        ("Hi [First Name], mugs", "leakage", ["[First Name]"]),
        ("Hi *|FNAME|*, %FIRSTNAME%, %%name%%", "leakage", ["*|FNAME|*", "%FIRSTNAME%", "%%name%"]),
        ("Hi {{name}}, ${name}", "leakage", ["{", "}"]),
        ("Hi \uff5bname\uff5d, <<name>>, [[name]], __NAME__", "leakage", ["{", "}", "<name>", "[[name]]", "__NAME__"]),
        ("A m\u0131racle, \u1d0diracle, m\u00a1racle", "banned_claims", ["miracle"]),
        (
            "gu\u0251ranteed results, r1sk free, 100 % free",
            "banned_claims",
            ["guaranteed results", "risk free", "100% free"],
        ),
        ("Write to anna.b@shop.com", "personal_data", ["email"]),
        ("Call 020 7946 0958 today", "personal_data", ["phone"]),
        ("Card 4111 1111 1111 1111", "personal_data", ["card", "phone"]),
        ("DE89 3704 0044 0532 0130 00", "personal_data", ["iban", "phone"]),
        ("Guaranteed results, risk-free", "banned_claims", ["guaranteed results", "risk free"]),
        ("R\u00edsk free mugs", "banned_claims", ["risk free"]),
        ("As an AI, I write JSON", "leakage", ["as an ai", "json"]),
        ("A <b>mug</b> of second_person", "leakage", ["<b>", "</b>", "second person", "second_person"]),
        ("\u041cugs for the home", "leakage", ["script cyrillic"]),
        ("Mugs\u200b for\u202e home", "leakage", ["U+200B", "U+202E"]),
        ("Urgent: last chance", "tags_missing", ["question"]),
        ("Urgent: last chance", "tags_unwanted", ["urgency"]),
    ],
)
def test_what_is_in_a_text_is_found(text: str, fact: str, found: list[str]) -> None:
    assert screen().facts(Written(REQUEST, text, "offline"))[fact] == found


@pytest.mark.parametrize(
    "text",
    [
        "It's here, e.g. in oak", "Open till 9.30am, then 5 p.m. on", "No.5 candles", "z.B. Tassen, d.h. Becher",
        "St.Gallen mugs", "Prices from 3.50 to 9.90", "U.S. mugs", "Ph.D. mugs", "Wait...is it here?", "Wait\u2026in the end",
        "[New] Oak boards", "[Last chance] Mugs", "\u65b0\u54c1\u5230\u8d27\u3002\u5feb\u6765\u770b", "50% off, 20% more",
        "Mugs and/or plates", "No. 1.In oak", "Node.js", "Dr.Best brushes", "Kraft & Co. is here",
        "Caf\u00e9 au lait: \u0142yk, \u0131l\u0131k", "Mugs (your name here)", "Snow_white mugs", "B2B & A4",
    ],
)  # fmt: skip
def test_an_ordinary_line_raises_no_alarm(text: str) -> None:
    facts = screen().facts(Written(REQUEST, text, "offline"))
    seen = {name: facts[name] for name in ("links", "banned_claims", "personal_data") if facts[name]}
    assert seen == {}
    assert content.leakage(text, None, PROGRAM.tags) == []


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("20% off 3 mugs", ["20", "3"]),
        ("\uff12\uff10 mugs", ["20"]),
        ("\u0662\u0660 mugs", ["20"]),
        ("\u2468 mugs", ["\u2468", "9"]),
        ("\u216b mugs", ["\u216b", "XII"]),
        ("XII mugs in XL", ["XII"]),
        ("\u00bd price", ["\u00bd", "1", "2"]),
        ("Twenty mugs", ["twenty"]),
        ("F\u00fcnf Becher", ["funf"]),
        ("n\u200bine mugs", ["nine"]),
        ("a dozen, per cent", ["dozen", "cent", "per cent"]),
        ("A mug for one", []),
    ],
)
def test_figures_are_found_in_every_guise(text: str, figures: list[str]) -> None:
    assert sorted(content.figures(text)) == sorted(figures)


def test_a_figure_that_was_told_is_supported() -> None:
    assert content.unsupported_figures("20 % off 3 mugs", ["20% off everything"]) == ["3"]


def test_a_text_near_a_past_one_is_named_unless_it_is_its_twin() -> None:
    library = Library(["Oak boards for the kitchen", "Wool throws are back"], 0.88)
    assert library.near("OAK boards, for the kitchen!") == "Oak boards for the kitchen"
    assert library.near("For the kitchen: oak boards") == "Oak boards for the kitchen"
    assert library.near("Linen sheets for the bedroom") is None
    assert library.near("Oak boards for the kitchen?", except_near="Oak boards for the kitchens") is None
    assert library.near("Wool throws are back!", except_near="Oak boards for the kitchen") == "Wool throws are back"
    assert Library(["5 new mugs for the kitchen"], 0.88).near("12 new mugs for the kitchen") is not None
    assert likeness("Is this the mug?", "This is the mug") < likeness("This is the mug!", "This is the mug")


def test_reading_level_is_the_published_formula_and_unknown_for_a_short_text() -> None:
    text = "The cat sat on the mat. The dog ran to the big red barn."
    assert reading_level(text) == pytest.approx(0.39 * 14 / 2 + 11.8 * 14 / 14 - 15.59, abs=0.05)
    assert reading_level("A mug") is None


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("abc", 3),
        ("e\u0301", 1),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", 1),
        ("\U0001f1ec\U0001f1e7\U0001f1eb\U0001f1f7", 2),
        ("\U0001f44d\U0001f3fd", 1),
        ("\u2764\ufe0f", 1),
        ("", 0),
    ],
)
def test_graphemes_are_what_a_reader_counts(text: str, count: int) -> None:
    assert graphemes(text) == count


def test_every_channel_has_limits() -> None:
    assert limits_of("email").longest == 72
    assert limits_of("social").longest == 300
    assert limits_of("a new one") == limits_of("default")
    assert limits_of("email").in_words() == ("10 to 72 characters on one line, no link.",)


def test_the_lines_of_the_offline_generator_are_clean() -> None:
    grammar = grammar_of(TAXONOMY, frozenset(PROGRAM.tags))
    watcher = screen()
    for tags in (frozenset[str](), frozenset({"question", "curiosity"}), frozenset({"number", "discount", "urgency"})):
        for line in islice(grammar.lines(tags, np.random.default_rng(1)), 100):
            facts = watcher.facts(Written(CreativeRequest("p", 1, "new", "exploit", 0, tags), line, "offline"))
            assert watcher.fault(facts) is None, line


def moderated(reply: object, texts: list[str], timeout: float = 2.0) -> tuple[list[list[str]], list[str]]:
    """What is flagged, and the status of each call."""
    book = MemoryBook()
    with model_server([reply]) as server:  # type: ignore[list-item]
        model = Model(generator="openai", name="fake-1", base_url=server.base_url, moderation="omni-moderation-latest")
        flags = Moderator(None, model, book, timeout_seconds=timeout).flagged(texts)
    return flags, [call.status for call in book.calls]


def test_the_moderation_endpoint_is_read() -> None:
    flags, statuses = moderated(moderation((), ("hate", "self-harm/intent")), ["a mug", "worse"])
    assert flags == [[], ["hate", "self-harm/intent"]]
    assert statuses == ["ok"]


@pytest.mark.parametrize(
    "reply", [error(500, "oops"), error(401, "key"), moderation(()), FAULTS["not json"], FAULTS["hang"]]
)
def test_a_text_nobody_judged_is_not_let_through(reply: object) -> None:
    flags, statuses = moderated(reply, ["a mug", "another"], timeout=0.2)
    assert flags == [[UNAVAILABLE], [UNAVAILABLE]]
    assert len(statuses) == 1
    assert statuses[0] != "ok"
