from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text import Lang, SourceText, Statement
from index.chunks import MAX_CHARACTERS, chunks, statement_id, statement_place

TITLE = "The AI Subsidy Scheme"


@st.composite
def _texts(draw: st.DrawFn) -> SourceText:
    """A text of headings and sentences of any length, put together as the readers do."""
    lang: Lang = draw(st.sampled_from(["en", "zh"]))
    body, statements = f"# {TITLE}\n\n", []
    for number, (level, lengths) in enumerate(draw(st.lists(st.tuples(st.integers(2, 4), st.lists(st.integers(1, 500), max_size=6)), max_size=6))):
        body += f"{'#' * level} Part {number}\n\n"
        for length in lengths:
            sentence = "x" * length + "."
            statements.append(Statement(sentence, len(body), len(body) + len(sentence), ()))
            body += sentence + " "
        body += "\n\n"
    return SourceText("sample.en", lang, TITLE, "funding", (), "2026-11-22", body, tuple(statements))


@given(_texts())
def test_together_the_chunks_hold_each_statement_exactly_once(text: SourceText) -> None:
    cut = chunks(text)
    assert [number for chunk in cut for number in range(chunk.first, chunk.last)] == list(range(len(text.statements)))
    assert len({chunk.id for chunk in cut}) == len(cut)
    for chunk in cut:
        sentences = [statement.text for statement in text.statements[chunk.first : chunk.last]]
        assert chunk.text == f"{chunk.heading}\n{' '.join(sentences)}"
        assert len(sentences) == 1 or sum(map(len, sentences)) <= MAX_CHARACTERS[text.lang]
        assert chunk.heading.split(" › ")[0] == TITLE


@given(_texts())
def test_no_chunk_reaches_over_a_heading(text: SourceText) -> None:
    for chunk in chunks(text):
        start, end = text.statements[chunk.first].start, text.statements[chunk.last - 1].end
        assert "\n#" not in text.text[start:end]


def test_chunks_follow_the_headings(texts: tuple[SourceText, ...]) -> None:
    scheme = next(text for text in texts if text.id == "ai-subsidy-scheme.en")
    cut = chunks(scheme)
    assert list(dict.fromkeys(chunk.heading for chunk in cut)) == [
        TITLE,
        f"{TITLE} › What the scheme pays for",
        f"{TITLE} › Who can apply and how applications are judged",
        f"{TITLE} › How many projects have been approved",
    ]
    assert cut[0].id == "ai-subsidy-scheme.en#0"
    assert {chunk.text_id for chunk in cut} == {"ai-subsidy-scheme.en"}


def test_a_deeper_heading_keeps_the_ones_above_it() -> None:
    body = f"# {TITLE}\n\n## Money\n\n### Rates\n\nOne.\n\n## People\n\nTwo.\n"
    statements = tuple(Statement(word, body.index(word), body.index(word) + 4, ()) for word in ("One.", "Two."))
    text = SourceText("sample.en", "en", TITLE, "funding", (), "2026-11-22", body, statements)
    assert [chunk.heading for chunk in chunks(text)] == [f"{TITLE} › Money › Rates", f"{TITLE} › People"]


def test_a_text_without_statements_has_no_chunks() -> None:
    assert chunks(SourceText("sample.en", "en", TITLE, "funding", (), "2026-11-22", f"# {TITLE}\n", ())) == []


@pytest.mark.parametrize("text_id", ["ai-subsidy-scheme.en", "own-0123456789ab", "beir:doc:7"])
def test_the_id_of_a_statement_leads_back_to_its_place(text_id: str) -> None:
    assert statement_place(statement_id(text_id, 12)) == (text_id, 12)
