"""Recorded texts as people read them: each as itself, apart from what stands beside it, and from words of ours."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregates.domain import texts
from aggregates.domain.texts import FSI, PDI
from tests.names import NAMES

NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    lambda text: text == text.strip()
)


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("alice", "alice"),
        ("Zoë Müller", "Zoë Müller"),
        ("אליס", "אליס"),
        ("alice\u200b", "alice⟨U+200B⟩"),
        ("\u202ebob", "⟨U+202E⟩bob"),
        ("a\r\nb\tc", "a⟨U+000D⟩⟨U+000A⟩b⟨U+0009⟩c"),
        ("a  b", "a ⟨U+0020⟩b"),
        ("a\u00a0b", "a⟨U+00A0⟩b"),
        ("\x1b[31m", "⟨U+001B⟩[31m"),
        (normalize("NFD", "zoë"), "zoe⟨U+0308⟩"),
        ("\u0301alice", "⟨U+0301⟩alice"),
        ("a\u0316\u0317\u0318\u0319\u031a", "a\u0316\u0317\u0318⟨U+0319⟩⟨U+031A⟩"),
        ("alice⟨U+200B⟩", "alice⟨U+27E8⟩U+200B⟩"),
        ("\u2126", "⟨U+2126⟩"),  # an ohm that NFC writes as an omega
        ("\u115f", "⟨U+115F⟩"),
        (normalize("NFD", "각"), "ᄀ⟨U+1161⟩⟨U+11A8⟩"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text: str, visible: str) -> None:
    assert texts.visible(text) == visible
    assert texts.read_typed(visible) == text


@given(NAME)
def test_every_text_is_shown_so_that_it_can_be_typed(text: str) -> None:
    assert texts.read_typed(texts.visible(text)) == text
    assert texts.read_typed(f"  {texts.visible(text)} ") == text


@given(NAME, NAME)
def test_different_texts_are_shown_differently(one: str, another: str) -> None:
    assert (texts.shown(one) == texts.shown(another)) == (one == another)


def test_the_names_of_the_table_are_shown_differently() -> None:
    assert len({texts.shown(name) for name in NAMES.values()}) == len(NAMES)


@pytest.mark.parametrize("text", ["Other", "other", "“Other”", "(not set)", "Total", "Before", "no price"])
def test_a_word_of_ours_is_no_name(text: str) -> None:
    assert texts.named(text) == f"“{text}”"
    assert texts.named(text) not in {texts.named(None), texts.named("")}


@pytest.mark.parametrize(("key", "shown"), [("gpt-5", "gpt-5"), ("", "(not set)"), (None, "Other")])
def test_groups_have_names(key: str | None, shown: str) -> None:
    assert texts.named(key) == shown


def test_groups_say_what_they_are() -> None:
    assert [texts.kind_of(key).value for key in (None, "", "Other")] == ["other", "not_set", "value"]
    assert [texts.words_of(key) for key in (None, "", "(not set)")] == ["Other", "(not set)", "(not set)"]


def test_only_what_runs_from_the_right_is_isolated() -> None:
    assert texts.shown("אליס") == f"{FSI}אליס{PDI}"
    assert texts.shown("Zoë") == "Zoë"


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    name = texts.shown("team-a/" + "x" * 100 + "/alice")
    assert texts.cut(name, 32) == "team-a/xxxxxxxxxxxxxx…xxxx/alice"
    assert texts.cut(texts.shown("אליס" * 20), 9) == f"{FSI}אליסא…ליס{PDI}"
    assert texts.cut(texts.shown("אליס"), 9) == f"{FSI}אליס{PDI}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gpt-5", "gpt-5"),
        ("openai/gpt-5:free", "openai/gpt-5:free"),
        ("chat and 3 others", "“chat and 3 others”"),
        ("others", "“others”"),
        ("אליס", f"{FSI}אליס{PDI}"),
        ("a\nb", "“a⟨U+000A⟩b”"),
    ],
)
def test_a_name_in_a_sentence_cannot_be_taken_for_a_part_of_it(text: str, words: str) -> None:
    assert texts.in_sentence(text) == words


def test_a_person_need_not_know_forms_of_letters() -> None:
    assert texts.read_typed(f" {normalize('NFD', 'zoë')} ") == "zoë"
    assert texts.read_typed("⟨U+D800⟩⟨U+FFFFFF⟩") == "⟨U+D800⟩⟨U+FFFFFF⟩"
