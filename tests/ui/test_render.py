from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assistant.records import Answer, Citation, MadeBy, Verdict
from corpus.text import Source, SourceText
from index.library import Library
from ui.chat.page_phrases import PAGE_PHRASES
from ui.chat.panel import sources_html
from ui.chat.phrases import PHRASES, dated
from ui.chat.render import Exchange, answer_html, exchange_html, plain

ENGLISH = PHRASES["en"]
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](https://evil.example/x.png)",
    "[click](javascript:alert(1))",
    "# heading\n* bullet\n1. one\n> quote\n---\n```\ncode\n```",
    "$$x^2$$ and \\(y\\) and `code` and **bold** and _thin_ and ~~gone~~",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "</div></mark><a href='//evil.example'>x</a>",
    '" onclick="alert(1)',
    "&lt;script&gt; &#60;b&#62; &amp;lt;",
    "https://evil.example and www.evil.example and a@evil.example",
]


class _Reader(HTMLParser):
    """The tags, their attributes and the text of some HTML, as a browser would read them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def _plain_words(text: str) -> str:
    return re.sub(r"[\s\0]+", "", text)


# Text as text


@given(st.one_of(st.text(max_size=80), st.lists(st.sampled_from(HOSTILE), max_size=3).map(" ".join)))
@example("\0")
@example("&\0x27;")
@example("&#x27;")
def test_nothing_in_plain_text_is_live(text: str) -> None:
    html = plain(text)
    assert set(_Reader(html).tags) <= {"br"}
    assert _plain_words(_Reader(html).text) == _plain_words(text.strip())
    assert not re.search(r"[<>](?!br>|\b)|[*_`$\\\[\](){}!|~]", html.replace("<br>", ""))
    for line in html.split("<br>"):
        assert not re.match(r"\s*(?:[#>+-]|\d+[.)]\s|={2,})", line)


@given(st.text(max_size=80))
def test_entities_in_plain_text_are_only_those_that_escape(text: str) -> None:
    assert unescape(plain(text).replace("<br>", "\n")).split() == text.replace("\0", "").split()


def _answer(text: str, *citations: Citation, warnings: tuple[str, ...] = (), verdicts: tuple[Verdict, ...] = (), standalone: str = "") -> Answer:
    made = MadeBy("", "", "", "", "")
    return Answer(text, citations, verdicts, "answered", 1.0, warnings, standalone, "quotes", "en", (text,), {}, made)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_question_is_shown_as_it_was_asked_and_nothing_in_it_is_live(text: str) -> None:
    read = _Reader(exchange_html(Exchange("7", text), ENGLISH, last=False, shared=True))
    assert set(read.tags) <= {"article", "div", "h2", "br"}
    assert read.attributes == [("class", "exchange"), ("data-id", "7"), ("aria-busy", "false"), ("class", "asked"), ("class", "answer")]
    assert _plain_words(read.text) == _plain_words(text)


# Answers


def test_citations_become_chips() -> None:
    html = answer_html("One. [1] Two. [2][3]", "7", (), ENGLISH)
    assert re.findall(r'<a class="cite" href="#(source-\d+-\d+)"', html) == ["source-7-1", "source-7-2", "source-7-3"]
    assert _plain_words(_Reader(html).text) == "One.1Two.23"


def test_lists_and_paragraphs_become_html() -> None:
    html = answer_html("First. [1]\n\n- One. [2]\n- Two. [3]\n\nLast. [4]", "1", (), ENGLISH)
    assert [tag for tag in _Reader(html).tags if tag != "a"] == ["p", "ul", "li", "li", "p"]


def test_a_table_becomes_one_and_each_cell_names_its_column() -> None:
    html = answer_html("Both. [1]\n\n| A<b> | B |\n| --- | --- |\n| one [2] | two [3] |\n|  | three [4]", "1", (), ENGLISH)
    assert html.count("<table") == html.count("</table>") == 1
    assert html.count("<tr>") == 3
    assert html.count('data-column="B"') == 2
    assert "A<b>" not in html
    assert ("data-column", "A<b>") in _Reader(html).attributes
    assert "---" not in html
    assert 'href="#source-1-4"' in html


def test_lines_that_only_look_like_a_table_are_text() -> None:
    html = answer_html("| a | b |\n| --- | --- |\n \n| x\n| y | z |\n- One. [1]\n| a | b |\n| --- | --- |\n| c |", "1", (), ENGLISH)
    assert [tag for tag in _Reader(html).tags if tag in ("table", "p", "ul", "td")] == ["table", "p", "p", "ul", "table", "td", "td"]


def test_warnings_and_the_question_searched_for_are_shown() -> None:
    answer = _answer("One. [1]", warnings=("Left <i>out</i>.",), standalone="How much is <b>it</b>?")
    for words in PHRASES.values():
        read = _Reader(exchange_html(Exchange("1", "How much?", answer), words, last=True))
        assert f"{words.searched_for}: How much is <b>it</b>?" in read.text
        assert "Left <i>out</i>." in read.text
        assert not {"b", "i", "u"} & set(read.tags)


def test_a_remark_stands_beside_the_sentence_that_it_concerns(library: Library) -> None:
    supported = [Verdict(f"{word}.", (number,), "supported") for number, word in enumerate(("One", "Two", "Three"), 1)]
    left_out = Verdict("It is <u>7</u>.", (2,), "unsupported", "7 is not in what it cites")
    warnings = ("See [1] (A) and [2] (B).", "Of the whole.", "See [9].")
    text = "One. [1] Two. [2]\n\n- Three. [3]\n- Two again. [2]"
    citations = (_citation(library.texts["cyberport.en"], number, number) for number in (1, 2, 3))
    answer = _answer(text, *citations, warnings=warnings, verdicts=(*supported, left_out))
    for words, reason in ((ENGLISH, "7 is not in what it cites"), (PHRASES["zh"], "「7」不見於所引出處")):
        html = exchange_html(Exchange("1", "How much?", answer), words, last=True)
        read = _Reader(html)
        asides = [_Reader(part).text for part in re.findall(r'<span class="aside">(.*?)</span>', html)]
        assert asides == [words.left_out.format(sentence="It is <u>7</u>.", reason=reason), "See 1 (A) and 2 (B)."]
        assert [_Reader(part).text for part in re.findall(r'<p class="note">(.*?)</p>', html)] == ["Of the whole.", "See [9]."]
        assert read.text.index("Three.") < read.text.index("<u>7</u>") < read.text.index("Two again.") < read.text.index("(A)")
        assert "u" not in read.tags


def test_what_was_left_out_before_any_sentence_stands_below() -> None:
    left_out = Verdict("It is 7.", (), "unsupported", "cites nothing")
    html = exchange_html(Exchange("1", "How much?", _answer("One. [1]", verdicts=(left_out,))), ENGLISH, last=True)
    assert "aside" not in html
    assert re.findall(r'<p class="note">(.*?)</p>', html) == [plain(ENGLISH.left_out.format(sentence="It is 7.", reason="cites nothing"))]


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.sampled_from([*HOSTILE, "[1]", "[23]", "[1234]", "\n- ", "\n\n", "\n| a | b |\n| --- | --- |\n", "\n| "]), max_size=5).map(" ".join),
    ),
    st.booleans(),
)
def test_nothing_in_an_exchange_is_live_but_our_own(text: str, warned: bool) -> None:
    verdicts = (Verdict(text, (), "unsupported", text),)
    answer = _answer(text, warnings=(text,) if warned else (), verdicts=verdicts, standalone=text)
    read = _Reader(re.sub(r"<svg.*?</svg>", "", exchange_html(Exchange("3", text, answer, trouble=text), ENGLISH, last=True)))
    ours = "article div h2 h3 p ul li a br table thead tbody tr th td q nav button span form textarea"
    assert set(read.tags) <= set(ours.split())
    for name, value in read.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "style", "srcdoc", "action", "formaction")
        assert name != "href" or re.fullmatch(r"#source-3-\d{1,3}", value)


# Sources


@pytest.fixture(scope="module")
def held(library: Library) -> dict[str, SourceText]:
    return library.texts


def _citation(text: SourceText, at: int, number: int = 1) -> Citation:
    statement = text.statements[at]
    return Citation(number, text.id, text.title, text.title, statement.text, statement.start, statement.end, statement.as_of, statement.sources, text.sha256)


def _cited(*citations: Citation, key: str = "1") -> Exchange:
    return Exchange(key, "Asked?", _answer("Said. [1]", *citations))


def _marks(html: str) -> Iterator[str]:
    for mark in re.findall(r"<mark>(.*?)</mark>", html, re.DOTALL):
        yield unescape(mark)


def test_a_card_marks_the_quote_between_its_neighbours(held: dict[str, SourceText]) -> None:
    text = held["ai-subsidy-scheme.en"]
    html = sources_html([_cited(_citation(text, 3))], held, ENGLISH)
    assert list(_marks(html)) == [text.statements[3].text]
    shown = _Reader(html).text
    assert text.statements[2].text in shown
    assert text.statements[4].text in shown
    assert text.statements[5].text not in shown  # under the next heading
    assert 'id="source-1-1"' in html
    assert "as of 2025" in shown


def test_a_quote_from_a_text_that_has_changed_stands_alone(held: dict[str, SourceText]) -> None:
    text = held["ai-subsidy-scheme.en"]
    citation = _citation(text, 3)
    for now in ({}, {text.id: replace(text, text="x" + text.text)}):
        html = sources_html([_cited(citation)], now, ENGLISH)
        assert list(_marks(html)) == [citation.quote]
        assert text.statements[2].text not in _Reader(html).text


def test_pages_are_linked_with_publisher_date_and_kind(held: dict[str, SourceText]) -> None:
    html = sources_html([_cited(_citation(held["ai-subsidy-scheme.en"], 5))], held, ENGLISH)
    assert re.search(r'<a href="https://www\.bastillepost\.com/[^"]+" target="_blank" rel="noopener noreferrer">', html)
    shown = _Reader(html).text
    assert all(word in shown for word in ("Bastille Post (HKSAR press release)", "published 7 Oct 2024", "press and others"))


def test_a_copy_has_no_link_and_says_so(held: dict[str, SourceText]) -> None:
    html = sources_html([_cited(_citation(held["cyberport.en"], 0))], held, ENGLISH)
    assert "<a " not in html
    assert ENGLISH.no_link in _Reader(html).text


def test_a_page_of_an_own_document_is_named(held: dict[str, SourceText]) -> None:
    source = Source("", "report.pdf", kind="own", page=12)
    html = sources_html([_cited(replace(_citation(held["cyberport.en"], 0), sources=(source,)))], held, ENGLISH)
    assert "report.pdf · page 12" in _Reader(html).text
    assert ENGLISH.kinds["own"] in _Reader(html).text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "JAVASCRIPT:alert(1)", "//evil.example", "file:///etc/passwd", "vbscript:x"])
def test_only_web_addresses_become_links(held: dict[str, SourceText], url: str) -> None:
    source = Source("Publisher", "Title", url)
    html = sources_html([_cited(replace(_citation(held["cyberport.en"], 0), sources=(source,)))], held, ENGLISH)
    assert "<a " not in html


@pytest.mark.parametrize("hostile", [*HOSTILE, 'https://a.example/"onmouseover="alert(1)'])
def test_nothing_in_a_source_is_live(held: dict[str, SourceText], hostile: str) -> None:
    citation = replace(
        _citation(held["cyberport.en"], 0),
        quote=hostile,
        heading=hostile,
        as_of=hostile,
        sources=(Source(hostile, hostile, hostile, hostile, "official"), Source(hostile, hostile, f"https://a.example/{hostile}", hostile, "copy")),
    )
    read = _Reader(sources_html([_cited(citation)], held, ENGLISH))
    assert set(read.tags) <= {"div", "section", "article", "header", "h2", "h3", "button", "span", "blockquote", "mark", "ul", "li", "a", "br"}
    assert {name for name, _ in read.attributes} <= {
        "class",
        "id",
        "tabindex",
        "data-answer",
        "href",
        "target",
        "rel",
        "type",
        "data-close",
        "aria-label",
        "aria-labelledby",
    }
    assert all(value.startswith("https://") for name, value in read.attributes if name == "href")


def test_the_cards_of_the_last_answer_are_shown(held: dict[str, SourceText]) -> None:
    cards = [_citation(held["cyberport.en"], at, at + 1) for at in range(2)]
    html = sources_html([_cited(*cards), _cited(*cards[:1], key="2"), _cited(key="3")], held, ENGLISH)
    assert re.findall(r'<section class="group" data-answer="(\d)" aria-label="Asked\?"( hidden)?>', html) == [("1", " hidden"), ("2", "")]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_without_sources_the_panel_says_what_it_is_for(lang: str) -> None:
    assert PHRASES[lang].no_sources in _Reader(sources_html([], {}, PHRASES[lang])).text


# In English only the errors' own words are shown.
CHINESE_ONLY = ("troubles", "faults", "refusals")


@pytest.mark.parametrize("phrases", [PHRASES, PAGE_PHRASES])
def test_both_languages_have_every_phrase(phrases: dict[str, object]) -> None:
    for field in type(phrases["en"]).__dataclass_fields__:
        english, chinese = getattr(phrases["en"], field), getattr(phrases["zh"], field)
        assert chinese
        assert type(english) is type(chinese)
        if field in CHINESE_ONLY:
            continue
        assert english
        if isinstance(english, str):
            assert english != chinese
            assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", chinese))
        else:
            assert len(english) == len(chinese)
            assert not isinstance(english, dict) or list(english) == list(chinese)


@pytest.mark.parametrize(
    ("day", "english", "chinese"),
    [
        ("2024", "2024", "2024年"),
        ("2024-12", "Dec 2024", "2024年12月"),
        ("2024-12-09", "9 Dec 2024", "2024年12月9日"),
        ("2024-13", "2024-13", "2024-13"),
        ("", "", ""),
    ],
)
def test_dates_are_written_as_the_language_does(day: str, english: str, chinese: str) -> None:
    assert dated(day, PHRASES["en"]) == english
    assert dated(day, PHRASES["zh"]) == chinese
