from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from corpus import check
from corpus.markdown import TEXTS as CORPUS
from corpus.markdown import load, paths, read
from tests.conftest import ROOT, TEXTS

FACTS = os.environ.get("HKAI_TEST_FACTS", "")
SCHEME = "funding/ai-subsidy-scheme.en.md"
SCHEME_CHINESE = "funding/ai-subsidy-scheme.zh.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the small texts, to be broken."""
    shutil.copytree(TEXTS, tmp_path / "texts")
    return tmp_path / "texts"


def _replace(path: Path, old: str, new: str) -> int:
    """Replaces the first `old` in a file, which must be there; returns its line."""
    raw = path.read_text(encoding="utf-8")
    assert old in raw
    path.write_text(raw.replace(old, new, 1), encoding="utf-8")
    return raw[: raw.index(old)].count("\n") + 1


def _faults(folder: Path) -> list[str]:
    names = paths(folder)
    return [str(fault).removeprefix(f"{folder}/") for fault in check.check([read(path) for path in names], names)]


def test_the_small_texts_have_no_fault(folder: Path) -> None:
    assert _faults(folder) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        (SCHEME, "[^aiss-eligible]\n", "\n", "sentence without a footnote: In a November 2024 speech"),
        (SCHEME, "7 October 2024.[^aiss-opened-oct2024]", "7 October 2024.[^nowhere]", "footnote [^nowhere] is used but not defined"),
        (
            SCHEME,
            "As of 2025, the AI Subsidy Scheme normally",
            "It normally",
            "sentence opens with a pronoun that nothing resolves when it stands alone: It normally",
        ),
        (SCHEME_CHINESE, "截至2025年，人工智能資助計劃一般", "該計劃一般", "sentence opens with a pronoun"),
        (SCHEME, "computing power at Cyberport's", "computing power. Cyberport owns it. The", "two sentences share a footnote"),
        (SCHEME_CHINESE, "標價的70%。", "標價的70%。其餘自付。", "two sentences share a footnote"),
        (SCHEME, "normally met 70%", "**normally** met 70%", "a statement is plain text"),
        (SCHEME, "normally met 70%", "[normally](https://a.hk) met 70%", "a statement is plain text"),
        (SCHEME, "As of 2025, the AI Subsidy Scheme normally", "As of 2025, " + "very " * 50 + "the AI Subsidy Scheme normally", "at most 60"),
        (SCHEME_CHINESE, "截至2025年，人工智能資助計劃一般", "截至2025年，" + "很" * 90 + "人工智能資助計劃一般", "at most 100"),
        (SCHEME, "normally met 70%", "normally met 71%", "71 % is not in the zh text of ai-subsidy-scheme"),
        (SCHEME_CHINESE, "2024年10月7日", "2023年10月7日", "2023-10-07 date is not in the en text of ai-subsidy-scheme"),
    ],
)
def test_a_faulty_sentence_is_reported_where_it_stands(folder: Path, file: str, old: str, new: str, fault: str) -> None:
    line = _replace(folder / file, old, new)
    assert any(found.startswith(f"{file}:{line}: ") and fault in found for found in _faults(folder)), _faults(folder)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("id: ai-subsidy-scheme.en", "id: subsidy.en", "`id` is subsidy.en, the file says ai-subsidy-scheme.en"),
        ("topic: funding", "topic: parks", "`topic` is parks, the folder says funding"),
        ("lang: en", "lang: zh", "`lang` is zh, the file says en"),
        ("updated: 2026-11-22", "updated: 2026-11", "`updated` is '2026-11', not a date like 2026-11-22"),
        ("aliases: [AISS,", "aliases: [AISS, aiss,", "dead alias 'aiss': it repeats the title or another alias"),
        ("aliases: [AISS,", "aliases: [The AI subsidy scheme,", "dead alias 'the ai subsidy scheme'"),
        ("# The AI Subsidy Scheme\n", "# A scheme\n", "the text does not begin with its title as `# title`"),
    ],
)
def test_faulty_front_matter_is_reported(folder: Path, old: str, new: str, fault: str) -> None:
    _replace(folder / SCHEME, old, new)
    assert any(found.startswith(f"{SCHEME}:1: {fault}") for found in _faults(folder)), _faults(folder)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("As of 2025. Official. <https://www.smelink", "As of 2025-13. Official. <https://www.smelink", "'2025-13' is not a date"),
        ("As of 2025. Official. <https://www.smelink", "As of 2027-01. Official. <https://www.smelink", "2027-01 lies after the text's own `updated`"),
        (
            '[^aiss-eligible]: Digital Policy Office. "Opening',
            '[^aiss-eligible]: Digital Policy Office. "[Opening',
            "a title in square brackets is not a page's title",
        ),
    ],
)
def test_a_faulty_page_is_reported_where_it_is_cited(folder: Path, old: str, new: str, fault: str) -> None:
    _replace(folder / SCHEME, old, new)
    cited = [found for found in _faults(folder) if fault in found]
    assert cited
    lines = (folder / SCHEME).read_text(encoding="utf-8").splitlines()
    assert all("[^aiss-" in lines[int(found.split(":")[1]) - 1] for found in cited)


def test_a_text_that_is_too_short_or_too_long_is_reported(folder: Path) -> None:
    raw = (folder / SCHEME).read_text(encoding="utf-8")
    head, *_ = raw.split("## What the scheme")
    (folder / SCHEME).write_text(head, encoding="utf-8")
    assert any("words; a text has 80 to 800" in found for found in _faults(folder))
    sentence = next(line for line in raw.splitlines() if line.startswith("As of 2025"))
    (folder / SCHEME).write_text(raw.replace(sentence, "\n\n".join([sentence] * 12)), encoding="utf-8")
    assert any("words; a text has 80 to 800" in found for found in _faults(folder))


def test_a_text_without_its_other_language_is_reported(folder: Path) -> None:
    (folder / SCHEME_CHINESE).unlink()
    assert f"{SCHEME}:1: ai-subsidy-scheme has no text in the other language beside it" in _faults(folder)


def test_a_footnote_that_one_language_lacks_is_reported(folder: Path) -> None:
    path = folder / SCHEME_CHINESE
    kept = [
        line.replace("[^aiss-eligible]", "[^aiss-opened-oct2024]")
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.startswith("[^aiss-eligible]:")
    ]
    path.write_text("\n".join(kept), encoding="utf-8")
    assert f"{SCHEME_CHINESE}:1: footnote [^aiss-eligible] of the other language is missing here" in _faults(folder)


def test_a_sentence_that_repeats_another_is_reported(folder: Path) -> None:
    line = _replace(
        folder / "parks/cyberport.en.md",
        "Cyberport is managed by",
        "Cyberport has taken applications to the AI Subsidy Scheme from eligible organisations since 7 October 2024.[^cyberport-community-2024] Cyberport is managed by",
    )
    assert any(found.startswith(f"parks/cyberport.en.md:{line}: repeats ") and "almost word for word" in found for found in _faults(folder))


# Against a fact base


def _facts(folder: Path, *rows: dict[str, str]) -> Path:
    folder.mkdir()
    (folder / "facts.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return folder


def test_borrowed_wording_is_reported(folder: Path, tmp_path: Path) -> None:
    claim = "The scheme was designed in 2024 mainly to share the cost of computing at a centre for users such as universities."
    facts = check.facts_in(_facts(tmp_path / "facts", {"id": "aiss-launch", "claim": claim, "confidence": "high"}))
    names = paths(folder)
    found = [str(fault) for fault in check.borrowed([read(path) for path in names], names, facts)]
    line = next(at for at, line in enumerate((folder / SCHEME).read_text(encoding="utf-8").splitlines(), 1) if "designed in 2024" in line)
    assert len(found) == 1
    assert found[0].startswith(f"{folder / SCHEME}:{line}: wording of facts:aiss-launch: “was designed in 2024 mainly to share")


def test_coverage_counts_the_facts_that_each_language_states(folder: Path, tmp_path: Path) -> None:
    rows = [{"id": name, "claim": "A claim.", "confidence": grade} for name, grade in
            [("aiss-launch", "high"), ("aiss-eligible", "high"), ("nowhere", "high"), ("left-out", "high"), ("cyberport-phase-5", "medium")]]  # fmt: skip
    facts = check.facts_in(_facts(tmp_path / "facts", *rows))
    table = {(row.lang, row.confidence): row for row in check.coverage([read(path) for path in paths(folder)], facts, ["facts:left-out"])}
    for lang in ("en", "zh"):
        assert (table[lang, "high"].stated, table[lang, "high"].total, table[lang, "high"].missing) == (2, 3, ("facts:nowhere",))
        assert (table[lang, "medium"].stated, table[lang, "medium"].total) == (1, 1)


def test_two_facts_of_one_name_have_labels_of_their_own() -> None:
    facts = [check.Fact("sectors:same", "same", "", "high"), check.Fact("law-ethics-challenges:same", "same", "", "high")]
    labels = check.Counter(fact.label for fact in facts)
    assert [check.label_of(fact, labels) for fact in facts] == ["same-se", "same-lc"]


# The command


def test_the_command_lists_faults_and_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = _replace(folder / SCHEME, "[^aiss-eligible]\n", "\n")
    assert check.main(["--texts", str(folder)]) == 1
    said = capsys.readouterr().out
    assert f"{folder / SCHEME}:{line}: sentence without a footnote" in said
    assert said.splitlines()[-1].startswith("6 texts, ")


def test_the_whole_corpus_has_no_fault() -> None:
    done = subprocess.run([sys.executable, "-m", "corpus.check"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert done.stdout.strip().endswith(" 0 faults")


def test_the_corpus_covers_both_languages_alike() -> None:
    ids = {text.id for text in load(CORPUS)}
    assert {identifier.rsplit(".", 1)[0] for identifier in ids if identifier.endswith(".en")} == {
        identifier.rsplit(".", 1)[0] for identifier in ids if identifier.endswith(".zh")
    }


if FACTS:

    def test_the_corpus_states_the_facts() -> None:
        readings = [read(path) for path in paths()]
        for row in check.coverage(readings, check.facts_in(Path(FACTS)), check.exclusions()):
            least = {"high": 0.98, "medium": 0.90}[row.confidence]
            assert row.stated / row.total >= least, f"{row.lang} {row.confidence}: {row.stated} of {row.total}; {row.missing[:10]}"
