from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.markdown import MARK, load, parse, paths, read, topic_id
from corpus.text import Source, SourceText
from tests.conftest import TEXTS

FRONT = """---
id: sample.en
title: A sample
topic: funding
lang: en
aliases: [Sample]
updated: 2026-11-22
---
"""
NOTE = '[^a]: Cyberport. "Annual report". Published 2025-07-05. As of 2025-06. Official. Series count. <https://example.org/a>'


def _faults(raw: str) -> list[str]:
    return [str(fault) for fault in parse(raw, "sample.en.md").faults]


def test_a_sentence_becomes_a_statement_with_its_sources_and_its_place() -> None:
    reading = parse(f"{FRONT}\n# A sample\n\nFirst sentence.[^a] Second one.[^b][^a]\n\n- A bullet.[^b]\n\n{NOTE}\n[^b]: HKSTP. Copy.\n")
    assert reading.faults == ()
    text = reading.text
    assert (text.id, text.title, text.topic, text.lang, text.aliases, text.updated) == ("sample.en", "A sample", "funding", "en", ("Sample",), "2026-11-22")
    assert text.text == "# A sample\n\nFirst sentence. Second one.\n\n- A bullet.\n"
    first, second, bullet = text.statements
    report = Source("Cyberport", "Annual report", "https://example.org/a", "2025-07-05", "official")
    assert (first.text, first.sources, first.as_of, first.marks, first.series) == ("First sentence.", (report,), "2025-06", ("a",), "count")
    assert (second.text, second.sources, second.marks) == ("Second one.", (Source("HKSTP", kind="copy"), report), ("b", "a"))
    assert bullet.text == "A bullet."
    assert [text.text[statement.start : statement.end] for statement in text.statements] == [statement.text for statement in text.statements]
    assert reading.lines == (12, 12, 14)
    assert reading.bare == ()


def test_a_page_without_an_as_of_holds_as_of_its_publication() -> None:
    reading = parse(f"{FRONT}\n# A sample\n\nA sentence.[^a]\n\n[^a]: X. Published 2024-12. Official. <https://example.org>\n")
    assert reading.text.statements[0].as_of == "2024-12"


@pytest.mark.parametrize(
    ("line", "source"),
    [
        ('A. "A "quoted" title". Established. <http://a.hk/b>', Source("A", 'A "quoted" title', "http://a.hk/b", "", "established")),
        ('LC Paper No. CB(1)868. "Work. Progress". As of 2020. Copy.', Source("LC Paper No. CB(1)868", "Work. Progress", "", "", "copy")),
        ("SCMP. Published 2018. Established. <https://a.hk>", Source("SCMP", "", "https://a.hk", "2018", "established")),
    ],
)
def test_a_footnote_names_a_page(line: str, source: Source) -> None:
    reading = parse(f"{FRONT}\n# A sample\n\nA sentence.[^a]\n\n[^a]: {line}\n")
    assert reading.faults == ()
    assert reading.text.statements[0].sources == (source,)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("A sentence.[^b]", "sample.en.md:12: footnote [^b] is used but not defined"),
        ("[^a]", "sample.en.md:12: footnote [^a] has no sentence before it"),
        ("A sentence without.", "sample.en.md:14: footnote [^a] is defined but never used"),
    ],
)
def test_a_wrong_mark_is_reported_with_its_line(body: str, fault: str) -> None:
    assert fault in _faults(f"{FRONT}\n# A sample\n\n{body}\n\n{NOTE}\n")


@pytest.mark.parametrize(
    ("notes", "fault"),
    [
        (f"{NOTE}\n{NOTE}", "sample.en.md:15: footnote [^a] is defined twice"),
        ("[^a]: Cyberport, Official", "sample.en.md:14: footnote [^a] is not `Publisher."),
        ("[^a]: Cyberport. Official.", "sample.en.md:14: footnote [^a] has no address, yet is not marked `Copy`"),
        ("[^a]: Cyberport. As of 2024. Published 2024. Official. <https://a.hk>", "sample.en.md:14: footnote [^a] is not `Publisher."),
        ("[^a]: Cyberport. Official. <ftp://a.hk>", "sample.en.md:14: footnote [^a] is not `Publisher."),
    ],
)
def test_a_wrong_footnote_is_reported_with_its_line(notes: str, fault: str) -> None:
    assert any(found.startswith(fault) for found in _faults(f"{FRONT}\n# A sample\n\nA sentence.[^a]\n\n{notes}\n"))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("---\n", "", "sample.en.md:1: no front matter between two lines of ---"),
        ("id: sample.en", "id: [", "sample.en.md:2: front matter is not YAML"),
        ("2026-11-22", "2026-13-45", "sample.en.md:2: front matter is not YAML"),
        ("id: sample.en\n", "", "sample.en.md:1: front matter lacks `id`"),
        ("id: sample.en", "id: sample.en\nauthor: me", "sample.en.md:1: front matter has an unknown field `author`"),
        ("[Sample]", "Sample", "sample.en.md:1: `aliases` is not a list"),
        ("lang: en", "lang: fr", "sample.en.md:1: `lang` is 'fr', not en or zh"),
    ],
)
def test_wrong_front_matter_is_reported(old: str, new: str, fault: str) -> None:
    raw = f"{FRONT}\n# A sample\n\nA sentence.[^a]\n\n{NOTE}\n"
    assert any(found.startswith(fault) for found in _faults(raw.replace(old, new)))


def test_front_matter_that_is_no_mapping_is_reported() -> None:
    assert "sample.en.md:2: front matter is not a list of `name: value` lines" in _faults("---\n- one\n---\n# A sample\n")


def test_a_sentence_without_a_footnote_is_kept_apart() -> None:
    reading = parse(f"{FRONT}\n# A sample\n\nA sentence.[^a] And a bare one.\n\n{NOTE}\n")
    assert reading.bare == ((12, "And a bare one."),)


_BITS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["[^a]", "[^b][^a]", "\n", "\n\n", "- ", "# ", "---\n", FRONT, NOTE, "lang: ", "2026-99-99", "A sentence. ", "句子。", "[^a]: "]),
)


@given(st.lists(_BITS, max_size=25).map("".join), st.booleans())
def test_any_text_is_read_without_an_error_and_every_offset_holds(raw: str, front: bool) -> None:
    text = parse(FRONT + raw if front else raw).text
    for statement in text.statements:
        assert text.text[statement.start : statement.end] == statement.text
        assert statement.text.strip() == statement.text != ""
        assert not MARK.search(statement.text)
    assert [statement.start for statement in text.statements] == sorted(statement.start for statement in text.statements)


def test_the_whole_corpus_keeps_its_offsets() -> None:
    texts = load()
    assert len({text.id for text in texts}) == len(texts) >= 48
    for text in texts:
        assert all(text.text[statement.start : statement.end] == statement.text for statement in text.statements)


def test_texts_are_loaded_in_order_of_path(texts: tuple[SourceText, ...]) -> None:
    assert [path.name for path in paths(TEXTS)] == [f"{text.id}.md" for text in texts]
    assert {topic_id(text) for text in texts} == {"ai-subsidy-scheme", "ai-supercomputing-centre", "cyberport"}


def test_loading_names_every_fault(tmp_path: Path) -> None:
    folder = tmp_path / "funding"
    folder.mkdir()
    (folder / "sample.en.md").write_text(f"{FRONT}\n# A sample\n\nA sentence.[^b]\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"sample\.en\.md:12: footnote \[\^b\] is used but not defined"):
        load(tmp_path)


def test_a_changed_text_has_another_hash(tmp_path: Path) -> None:
    path = tmp_path / "sample.en.md"
    path.write_text(f"{FRONT}\n# A sample\n\nA sentence.[^a]\n\n{NOTE}\n", encoding="utf-8")
    before = read(path).text
    path.write_text(f"{FRONT}\n# A sample\n\nA sentence.[^a]\n\n{NOTE.replace('Annual', 'Yearly')}\n", encoding="utf-8")
    after = read(path).text
    assert before.text == after.text
    assert before.sha256 != after.sha256
    assert before.sha256 == parse(f"{FRONT}\n# A sample\n\nA sentence.[^a]\n\n{NOTE}\n").text.sha256
