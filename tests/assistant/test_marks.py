from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.marks import read


def _whole(text: str, known: tuple[int, ...] = (1, 2, 3)) -> str:
    return "".join(read([text], known))


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("It pays 70%. [1] It began in 2024. [2][3]", "It pays 70%. [1] It began in 2024. [2][3]"),
        ("It pays 70% [1]. It began [2] .", "It pays 70%. [1] It began. [2]"),
        ("It pays 70%. [1].", "It pays 70%. [1]"),
        ("One [1, 2]. Two [1] [3]. Three [2][2].", "One. [1][2] Two. [1][3] Three. [2]"),
        ("資助七成【1】。設於數碼港。［2］", "資助七成。 [1]設於數碼港。 [2]"),
        ("A note [^1].", "A note. [1]"),
        ("Right [1][999]. Wrong [999].", "Right. [1] Wrong."),
        ("- One [1]\n- Two [2]", "- One [1]\n- Two [2]"),
        ("No mark: [see below], [1a], a[i], [", "No mark: [see below], [1a], a[i], ["),
        ("Cut off [12", "Cut off [12"),
        ("", ""),
    ],
)
def test_marks_have_one_form_and_invented_numbers_vanish(written: str, read_as: str) -> None:
    assert _whole(written) == read_as


@given(
    st.lists(st.sampled_from(["[", "]", "1", "2", "99", ",", " ", ".", "。", "【", "】", "a", "\n", "[1]", "[2]", " [1, 2]", "[999]", "It pays"])), st.data()
)
def test_what_is_read_does_not_depend_on_where_the_pieces_are_cut(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = _whole(text)
    if "    " not in text and "\n" not in text:
        assert "".join(read(pieces, (1, 2, 3))) == whole
    assert "[99]" not in whole
    assert "[999]" not in whole


def test_text_is_given_as_soon_as_it_is_decided() -> None:
    taken: list[str] = []

    def pieces() -> list[str]:
        return ["It pays", " 70%", " [", "1", "]", ".", " It"]

    given_after = []
    reading = read((taken.append(piece) or piece for piece in pieces()), (1,))
    for text in reading:
        given_after.append((text, len(taken)))
    assert given_after[0] == ("It pays", 1)
    assert "".join(text for text, _ in given_after) == "It pays 70%. [1] It"


def test_a_flood_of_blanks_or_marks_is_read_in_passing() -> None:
    assert "".join(read([" "] * 8_000, (1,))) == " " * 8_000
    assert "[2]" not in "".join(read(["[1][2]"] * 1_300, (1,)))
