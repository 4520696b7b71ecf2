from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from corpus.readers import from_bytes
from corpus.text import SourceText
from index.embedder import MINILM, Embedder
from index.library import Library
from index.search import Filters, Hit, View, Weights, embed, search


def _search(library: Library, views: list[View], **options: Any) -> list[Hit]:
    return search(library, views, embed(library.embedder, views), **options)


def _texts(hits: list[Hit]) -> set[str]:
    return {hit.text.id for hit in hits}


@pytest.mark.parametrize(
    ("query", "lang", "answer"),
    [
        ("What share of computing power does the AI Subsidy Scheme pay for?", "en", "normally met 70% of the list price"),
        ("capacity of the supercomputing centre in December 2025", "en", "stood at 3,000 petaFLOPS"),
        ("Which unicorns came from Cyberport?", "en", "GOGOX, Klook, WeLab"),
        ("Which universities lead research on artificial intelligence?", "en", "the University of Hong Kong (HKU)"),
        ("人工智能資助計劃資助算力的幾成？", "zh", "算力標價的70%"),
        ("數碼港有哪些獨角獸？", "zh", "GOGOX、Klook、WeLab"),
        ("数码港有哪些独角兽？", "zh", "GOGOX、Klook、WeLab"),
    ],
)
def test_the_statement_that_answers_is_among_the_first_three(library: Library, query: str, lang: str, answer: str) -> None:
    hits = _search(library, [View(query)], lang=lang)
    assert any(answer in hit.statement.text for hit in hits[:3]), [hit.statement.text for hit in hits[:3]]


def test_a_hit_leads_to_its_text_chunk_and_statement(library: Library) -> None:
    for hit in _search(library, [View("Cyberport unicorns 獨角獸")], k=30):
        assert hit.text.statements[hit.number] == hit.statement
        assert library.statement(hit.id) == hit.statement
        assert library.chunk(hit.chunk.id) == hit.chunk
        assert hit.chunk.first <= hit.number < hit.chunk.last


def test_hits_are_sorted_and_their_score_is_the_weighted_sum_of_their_signals(library: Library) -> None:
    weights = Weights(meaning_statement=1.0, words_statement=0.5, meaning_chunk=0.25, words_chunk=0.125, name=2.0, other_language=1.0)
    hits = _search(library, [View("the price of computing power")], k=50, names=["cyberport.en"], weights=weights)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    for hit in hits:
        of = hit.signals
        assert all(0 <= of[name] <= 1 for name in ("meaning_statement", "words_statement", "meaning_chunk", "words_chunk", "name"))
        total = of["meaning_statement"] + 0.5 * of["words_statement"] + 0.25 * of["meaning_chunk"] + 0.125 * of["words_chunk"] + 2.0 * of["name"]
        assert hit.score == pytest.approx(total)
        assert of["name"] == (hit.text.id == "cyberport.en")


def test_at_most_k_statements_are_found(library: Library) -> None:
    assert len(_search(library, [View("Cyberport")], k=3)) == 3


def test_a_second_view_adds_what_it_finds(library: Library) -> None:
    first, second = View("blockchain companies"), View("electricity bill")
    together = _search(library, [first, second], k=8)
    for view in (first, second):
        assert _search(library, [view], k=1)[0].statement in [hit.statement for hit in together]


def test_a_view_of_words_only_adds_what_its_words_find_and_nothing_by_its_meaning(library: Library) -> None:
    asked, titled = View("How much does the scheme pay?"), View("AI Subsidy Scheme", words_only=True)
    assert len(embed(library.embedder, [asked, titled])) == 1
    alone, both = ({hit.id: hit for hit in _search(library, views, k=100)} for views in ([asked], [asked, titled]))
    meant = {name: hit.signals["meaning_statement"] for name, hit in both.items() if hit.signals["meaning_statement"]}
    assert meant == {name: hit.signals["meaning_statement"] for name, hit in alone.items() if hit.signals["meaning_statement"]}
    assert sum(hit.signals["words_statement"] for hit in both.values()) > sum(hit.signals["words_statement"] for hit in alone.values())


def test_a_lighter_view_counts_less(library: Library) -> None:
    heavy = _search(library, [View("blockchain companies"), View("electricity bill", 0.1)], k=1)[0]
    light = _search(library, [View("blockchain companies", 0.1), View("electricity bill")], k=1)[0]
    assert "blockchain" in heavy.statement.text
    assert "electricity" in light.statement.text


def test_what_is_found_in_the_other_language_is_told_by_its_twin(library: Library) -> None:
    for lang in ("en", "zh"):
        hits = _search(library, [View("Cyberport unicorns 獨角獸")], k=50, lang=lang)
        assert {hit.text.lang for hit in hits if not hit.text.own} == {lang}
        assert len({hit.id for hit in hits}) == len(hits)
    found = _search(library, [View("Which unicorns came from Cyberport?")], lang="zh")[0]
    assert "GOGOX、Klook、WeLab" in found.statement.text
    assert found.chunk.first <= found.number < found.chunk.last


def test_a_twin_that_a_filter_leaves_out_is_not_shown(library: Library) -> None:
    hits = _search(library, [View("Cyberport unicorns")], lang="zh", filters=Filters(lang="en"))
    assert {hit.text.lang for hit in hits} == {"en"}
    assert all(hit.score == pytest.approx(Weights().other_language * Weights(other_language=1.0).score(hit.signals)) for hit in hits if not hit.text.own)


@pytest.mark.parametrize(
    ("filters", "held"),
    [
        (Filters(topic="parks"), {"cyberport.en", "cyberport.zh"}),
        (Filters(topic="parks", lang="zh"), {"cyberport.zh"}),
        (Filters(topic="nowhere"), set()),
    ],
)
def test_filters_leave_only_the_texts_they_admit(library: Library, filters: Filters, held: set[str]) -> None:
    assert _texts(_search(library, [View("Cyberport and its money 數碼港")], k=50, filters=filters)) == held


def test_own_documents_can_be_searched_alone_or_left_out(library: Library) -> None:
    query = [View("universities and incubators")]
    assert all(hit.text.own for hit in _search(library, query, k=50, filters=Filters(own=True)))
    assert _search(library, query, k=50, filters=Filters(own=True))
    assert not any(hit.text.own for hit in _search(library, query, k=50, filters=Filters(own=False)))


def test_a_period_admits_only_statements_of_that_time(library: Library) -> None:
    hits = _search(library, [View("Cyberport companies")], k=50, filters=Filters(since="2025", until="2025-10"))
    assert hits
    assert all("2025" <= hit.statement.as_of <= "2025-10" or hit.statement.as_of.startswith("2025-10") for hit in hits)
    assert any(hit.statement.as_of.startswith("2025-") for hit in hits)


def test_a_publisher_admits_only_its_statements(library: Library) -> None:
    hits = _search(library, [View("projects approved")], k=50, filters=Filters(publisher="dot dot news"))
    assert hits
    assert all(any(source.publisher == "Dot Dot News" for source in hit.statement.sources) for hit in hits)


@pytest.mark.parametrize("query", ["Cyberport", "數碼港 " * 500, "?", "\x00", "😀", "'; DROP TABLE", "a" * 4000])
def test_any_query_is_searched(library: Library, query: str) -> None:
    assert all(hit.score >= 0 for hit in _search(library, [View(query)]))


def test_each_statement_has_a_twin_in_the_other_language(library: Library) -> None:
    statements = [(f"{text.id}:{number}", text) for text in library.texts.values() if not text.own for number in range(len(text.statements))]
    for identifier, text in statements:
        twin = library.twin(identifier)
        assert twin
        assert library.texts[twin.rpartition(":")[0]].lang != text.lang
        assert set(library.statement(twin).marks) == set(library.statement(identifier).marks)
    assert library.twin("nowhere.en:0") is None


@pytest.fixture(scope="module")
def with_zebras(tmp_path_factory: pytest.TempPathFactory, embedder: Embedder, texts: tuple[SourceText, ...]) -> Iterator[Library]:
    """A library with a document of one's own, which a second encoder knows too."""
    with closing(Library(tmp_path_factory.mktemp("zebras"), embedder, second=Embedder(MINILM))) as held:
        held.add([from_bytes(b"Zebras graze in the server hall. They wear stripes.", "zebras.txt")])
        held.sync(texts[:2])
        yield held


def test_documents_of_ones_own_have_the_signals_of_the_second_encoder(with_zebras: Library) -> None:
    hits = _search(with_zebras, [View("Where do zebras graze?")], lang="en", k=200)
    assert hits[0].text.own
    assert hits[0].signals["second_statement"] == hits[0].signals["second_chunk"] == 1.0
    assert {hit.text.own for hit in hits if "second_chunk" in hit.signals} == {True}
    assert all(hit.text.own or "second_statement" not in hit.signals for hit in hits)


def test_what_the_second_encoder_finds_far_counts_for_nothing(with_zebras: Library) -> None:
    own = [hit for hit in _search(with_zebras, [View("the price of computing power in the supercomputing centre")], lang="en", k=200) if hit.text.own]
    assert own
    assert all(hit.signals["second_statement"] == hit.signals["second_chunk"] == 0.0 for hit in own)


def test_the_second_encoder_is_asked_neither_in_chinese_nor_where_own_documents_are_left_out(with_zebras: Library) -> None:
    for options in ({"lang": "zh"}, {"lang": "en", "filters": Filters(own=False)}):
        assert not any("second_chunk" in hit.signals for hit in _search(with_zebras, [View("斑馬 zebras")], k=200, **options))
