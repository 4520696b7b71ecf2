from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser

import pytest

from assistant.records import Answer, Citation, MadeBy
from assistant.transcripts import Conversation, Message, Transcript
from corpus.text import Source
from tests.ui.test_hostile import HOSTILE
from ui.chat.export import markdown, page
from ui.chat.phrases import PHRASES
from ui.chat.visitor import visitor

ENGLISH = PHRASES["en"]
NOW = datetime(2026, 3, 4, 20, 30, tzinfo=UTC)


def _transcript(text: str) -> Transcript:
    sources = (Source(text, text, "https://a.example/1", "2025-02-01"), Source(text, text, f"https://a.example/{text}"))
    cited = Citation(1, "a.en", text, text, text, 0, len(text), "2025-01", sources, "")
    answer = Answer(f"{text} [1]\n- {text} [1]", (cited,), (), "answered", 1.0, (text,), text, "quotes", "en", (text,), {}, MadeBy("", "", "", "", ""))
    return Transcript(Conversation("id", text, NOW, NOW), (Message("m1", 1, NOW, text, answer), Message("m2", 2, NOW, text, None)))


class _Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_a_conversation_is_live_on_a_page_of_its_own(text: str) -> None:
    read = _Tags(page(_transcript(text), ENGLISH, style=""))
    ours = "html head meta title style body main header h1 h2 h3 p div article a br ol ul li q span details summary table thead tbody tr th td"
    assert read.tags <= set(ours.split())
    assert not [name for name, _ in read.attributes if name.startswith("on") or name in ("src", "style", "srcdoc", "http-equiv")]
    assert all(value.startswith(("https://a.example/", "#source-m1-")) for name, value in read.attributes if name == "href")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_a_conversation_is_markup_in_its_markdown(text: str) -> None:
    written = markdown(_transcript(text), ENGLISH)
    bare = re.sub(r"^   <https://a\.example/[^\s<>]+>$", "", re.sub(r"\\[\\`*_{}\[\]<>#!|~$&]", "", written), flags=re.MULTILINE)
    assert "<" not in bare
    assert not re.search(r"!\[|\]\(|`|\$", bare)


def test_the_sources_are_numbered_with_their_dates_and_the_day_is_that_of_hong_kong() -> None:
    written = markdown(_transcript("Plain words"), ENGLISH)
    assert "1. Plain words, Plain words, published 1 Feb 2025, as of Jan 2025. “Plain words”" in written
    assert "   <https://a.example/1>" in written
    assert "From hkai, 5 March 2026" in written
    assert "2026年3月5日" in unescape(page(_transcript("字"), PHRASES["zh"], style=""))


def test_a_question_without_an_answer_is_said_to_have_none() -> None:
    transcript = _transcript("Plain words")
    alone = replace(transcript, messages=transcript.messages[1:])
    assert ENGLISH.stopped in markdown(alone, ENGLISH)
    assert ENGLISH.stopped in unescape(page(alone, ENGLISH, style=""))


@pytest.mark.parametrize("cookies", ["", "hkai_visitor=", "hkai_visitor=short", f"hkai_visitor={'x' * 101}", f"other={'x' * 40}", "a=b; ;;==", "\x00"])
def test_only_a_cookie_that_could_be_ours_names_a_visitor(cookies: str) -> None:
    assert visitor(cookies) == ""
    assert visitor(f"{cookies.strip(chr(0))}; hkai_visitor={'y' * 43}" if "hkai" not in cookies else f"hkai_visitor={'y' * 43}") == "y" * 43
