from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.figures import Figure, figures

MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("HK$3 billion", Figure("3000000000", "HKD")),
        ("HK$3,000 million", Figure("3000000000", "HKD")),
        ("30億港元", Figure("3000000000", "HKD")),
        ("3.4億港元", Figure("340000000", "HKD")),
        ("US$2.5bn", Figure("2500000000", "USD")),
        ("25億美元", Figure("2500000000", "USD")),
        ("人民幣100萬元", Figure("1000000", "CNY")),
        ("1億2,000萬港元", Figure("120000000", "HKD")),
        ("70%", Figure("70", "%")),
        ("70 per cent", Figure("70", "%")),
        ("七成", Figure("70", "%")),
        ("七成半", Figure("75", "%")),
        ("3,000 petaFLOPS", Figure("3000")),
        ("38萬平方呎", Figure("380000")),
        ("9 December 2024", Figure("2024-12-09", "date")),
        ("Dec 9, 2024", Figure("2024-12-09", "date")),
        ("2024年12月9日", Figure("2024-12-09", "date")),
        ("2024-12-09", Figure("2024-12-09", "date")),
        ("late December 2025", Figure("2025-12", "date")),
        ("2025年12月下旬", Figure("2025-12", "date")),
        ("in 2018", Figure("2018", "date")),
        ("二", None),
        ("GPT-4 and CB(1)", None),
    ],
)
def test_a_figure_has_one_form_in_both_languages(text: str, found: Figure | None) -> None:
    assert figures(text) == (() if found is None else (found,)) or (found is None and all(figure.unit == "" for figure in figures(text)))


def test_a_range_of_years_is_its_two_ends() -> None:
    assert figures("the 2024-25 Budget") == (Figure("2024", "date"), Figure("2025", "date"))
    assert figures("《2024-25年度財政預算案》") == (Figure("2024", "date"), Figure("2025", "date"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("five approvals", "5"),
        ("twenty-five members", "25"),
        ("two hundred firms", "200"),
        ("three million users", "3000000"),
        ("五個項目", "5"),
        ("十二間公司", "12"),
        ("三百二十名學員", "320"),
    ],
)
def test_spelled_out_numbers_are_read_when_asked_for(text: str, value: str) -> None:
    assert Figure(value) in figures(text, words=True)
    assert Figure(value) not in figures(text)


@given(st.integers(1, 999), st.sampled_from([("thousand", 3), ("million", 6), ("billion", 9), ("trillion", 12)]))
def test_an_amount_comes_back_from_every_way_of_writing_it(number: int, scale: tuple[str, int]) -> None:
    word, zeros = scale
    amount = number * 10**zeros
    wanted = (Figure(str(amount), "HKD"),)
    assert figures(f"HK${number} {word}") == wanted
    assert figures(f"HK${amount:,}") == wanted
    chinese = f"{amount // 10**8}億港元" if amount % 10**8 == 0 else f"{amount // 10**4}萬港元" if amount % 10**4 == 0 else f"{amount}港元"
    assert figures(chinese) == wanted


@given(st.decimals(min_value=Decimal("0.1"), max_value=Decimal(999), places=1))
def test_a_share_comes_back_from_every_way_of_writing_it(share: Decimal) -> None:
    plain = format(share.normalize(), "f")
    for text in (f"{share}%", f"{share} per cent", f"{share} percent", f"{share}％"):
        assert figures(text) == (Figure(plain, "%"),)


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)))
def test_a_date_comes_back_from_every_way_of_writing_it(day: date) -> None:
    month = MONTHS[day.month - 1]
    for text in (
        day.isoformat(),
        f"on {day.day} {month} {day.year}",
        f"on {month} {day.day}, {day.year}",
        f"on {day.day}th {month[:3]} {day.year}",
        f"{day.year}年{day.month}月{day.day}日",
        f"{day.year} 年 {day.month} 月 {day.day} 日",
    ):
        assert figures(text) == (Figure(day.isoformat(), "date"),), text


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("0123456789,.%$年月日億萬千百十成半-–HKUSD ")), max_size=60), st.booleans())
def test_any_text_is_read_without_an_error(text: str, words: bool) -> None:
    for figure in figures(text, words=words):
        assert figure.value
        assert figure.unit == "date" or Decimal(figure.value) >= 0


def test_a_year_agrees_with_a_day_in_it_and_not_the_other_way() -> None:
    year, day = Figure("2024", "date"), Figure("2024-12-09", "date")
    assert year.agrees(day)
    assert not day.agrees(year)
    assert not Figure("2024").agrees(day)


def test_amounts_agree_unless_both_name_a_different_currency() -> None:
    assert Figure("100", "HKD").agrees(Figure("100", "$"))
    assert Figure("100").agrees(Figure("100", "%"))
    assert not Figure("100", "HKD").agrees(Figure("100", "USD"))
    assert not Figure("70", "%").agrees(Figure("70", "HKD"))
    assert not Figure("70", "%").agrees(Figure("71", "%"))
