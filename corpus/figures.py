"""Figures and dates in English and Chinese text, in one form that can be compared.

`HK$3 billion`, `30億港元` and `HK$3,000 million` are the same `Figure("3000000000", "HKD")`; `70%`, `70 per cent` and
`七成` are `Figure("70", "%")`; `9 December 2024` and `2024年12月9日` are `Figure("2024-12-09", "date")`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

_SCALES = {
    "thousand": 3, "k": 3, "million": 6, "mn": 6, "m": 6, "billion": 9, "bn": 9, "b": 9, "trillion": 12, "tn": 12,
    "千": 3, "萬": 4, "万": 4, "十萬": 5, "百萬": 6, "百万": 6, "千萬": 7, "千万": 7, "億": 8, "亿": 8, "十億": 9, "百億": 10,
    "千億": 11, "萬億": 12, "万亿": 12, "兆": 12,
}  # fmt: skip
_BEFORE = {"hk$": "HKD", "hkd": "HKD", "港幣": "HKD", "港币": "HKD", "us$": "USD", "usd": "USD", "美金": "USD", "rmb": "CNY", "人民幣": "CNY",
           "人民币": "CNY", "cny": "CNY", "s$": "SGD", "€": "EUR", "£": "GBP", "$": "$"}  # fmt: skip
_AFTER = {"港元": "HKD", "港幣": "HKD", "港币": "HKD", "元": "$", "美元": "USD", "美金": "USD", "元人民幣": "CNY", "人民幣": "CNY", "人民币": "CNY",
          "%": "%", "percent": "%", "per cent": "%", "percentage points": "%", "個百分點": "%", "个百分点": "%",
          "歐元": "EUR", "英鎊": "GBP"}  # fmt: skip
_MONTHS = {name: number for number, name in enumerate(
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"], 1)}  # fmt: skip
_MONTHS |= {name[:3]: number for name, number in _MONTHS.items()} | {"sept": 9}
_UNITS_IN_WORDS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
_WORDS = {word: number for number, word in enumerate(_UNITS_IN_WORDS.split(" "))} | {
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100, "dozen": 12,
}  # fmt: skip
_DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "兩": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}

_MONTH = "(?:" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\.?"
_DATES = [
    re.compile(rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m>{_MONTH}),? (?P<y>(?:19|20)\d\d)\b", re.I),
    re.compile(rf"\b(?P<m>{_MONTH}) (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>(?:19|20)\d\d)\b", re.I),
    re.compile(rf"\b(?P<m>{_MONTH}),? (?:of )?(?P<y>(?:19|20)\d\d)\b", re.I),
    re.compile(r"(?P<y>(?:19|20)\d\d)\s*年\s*(?P<m>\d{1,2})\s*月\s*(?P<d>\d{1,2})\s*[日號号]"),
    re.compile(r"(?P<y>(?:19|20)\d\d)\s*年\s*(?P<m>\d{1,2})\s*月"),
    re.compile(r"(?<!\d)(?P<y>(?:19|20)\d\d)-(?P<m>\d\d)-(?P<d>\d\d)\b"),
    re.compile(r"(?<!\d)(?P<y>(?:19|20)\d\d)-(?P<m>0[1-9]|1[0-2])\b(?!-)"),
    re.compile(r"(?P<y>(?:19|20)\d\d)\s*年(?!代)"),
]
_YEARS = re.compile(r"(?<!\d)(?P<y>(?:19|20)\d\d)\s*[-–/至到]\s*(?P<to>(?:19|20)?\d\d)\s*(?:年度|年)?(?!\d|,\d{3}|-\d)")
_YEAR = re.compile(r"(?<![\d,.$])(?P<y>(?:19|20)\d\d)(?!\d|[,.]\d|\s*(?:[千萬万億亿兆%]|港元|美元|元(?!朗|旦)|per ?cent|thousand|million|billion|trillion))")
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_ALTERNATIVES = "|".join(sorted(map(re.escape, _BEFORE), key=len, reverse=True))
_UNITS = "|".join(sorted(map(re.escape, _AFTER), key=len, reverse=True))
_CHINESE_SCALES = "|".join(sorted((s for s in _SCALES if not s.isascii()), key=len, reverse=True))
_FIGURE = re.compile(
    rf"(?:(?P<before>{_ALTERNATIVES})\s*|(?<![A-Za-z\d.])(?<![A-Za-z]-))(?P<number>{_NUMBER})"
    rf"(?:[\s-]*(?P<scale>{_CHINESE_SCALES}|thousand|million|billion|trillion|mn|bn|tn|k(?![a-z])|m(?![a-z])|b(?![a-z])))?"
    rf"(?P<rest>(?:{_NUMBER})(?:{_CHINESE_SCALES}))?"
    rf"\s*(?P<after>{_UNITS})?",
    re.I,
)
_TENTHS = re.compile(r"(?P<n>[一二三四五六七八九\d])成(?P<half>半|[一二三四五六七八九])?")
_CHINESE_NUMBER = re.compile(r"[零〇一二兩两三四五六七八九十百千]{1,8}(?=[萬万億亿]?[個间間家項项名所款期隻只批年歲岁次位條条個月日天人宗份類类方大種种元港])")
_ENGLISH_NUMBER = re.compile(r"\b(" + "|".join(_WORDS) + r")(?:[- ](one|two|three|four|five|six|seven|eight|nine|hundred|million|billion))?\b", re.I)


@dataclass(frozen=True, slots=True, order=True)
class Figure:
    """A number in plain digits with its unit: a currency (ISO 4217, `$` where it is not said), `%`, `date` or nothing."""

    value: str
    unit: str = ""

    def agrees(self, other: Figure) -> bool:
        """Whether `other` says the same, or says it more precisely (a year against a day in that year)."""
        if self.unit == "date" or other.unit == "date":
            return other.unit == self.unit and other.value.startswith(self.value)
        if self.value != other.value:
            return False
        money = {"HKD", "USD", "CNY", "SGD", "EUR", "GBP"}
        return self.unit == other.unit or not self.unit or not other.unit or ("$" in (self.unit, other.unit) and {self.unit, other.unit} <= money | {"$"})


@lru_cache(maxsize=8_192)  # the statements of a corpus of this size are few enough, and each is found again and again
def figures(text: str, *, words: bool = False) -> tuple[Figure, ...]:
    """The figures and dates in `text`, in order of appearance within each sort; with `words`, spelled-out numbers too."""
    text = unicodedata.normalize("NFKC", text)
    found: list[Figure] = []
    text = _take_dates(text, found)
    for match in _TENTHS.finditer(text):
        half = {"半": 5}.get(match["half"] or "", _DIGITS.get(match["half"] or "", 0))
        tens = int(match["n"]) if match["n"].isdigit() else _DIGITS[match["n"]]
        found.append(Figure(str(tens * 10 + half), "%"))
    text = _TENTHS.sub(lambda match: " " * len(match.group()), text)
    for match in _FIGURE.finditer(text):
        value = Decimal(match["number"].replace(",", "")) * 10 ** _SCALES.get((match["scale"] or "").lower(), 0)
        if match["rest"]:
            value += sum(_amount(number, scale) for number, scale in re.findall(rf"({_NUMBER})({_CHINESE_SCALES})", match["rest"]))
        unit = _BEFORE.get((match["before"] or "").lower(), "") or _AFTER.get((match["after"] or "").lower(), "")
        if match["before"] and match["before"].lower() in ("人民幣", "人民币"):
            unit = "CNY"
        found.append(Figure(_plain(value), unit))
    if words:
        found += _spelled(text)
    return tuple(dict.fromkeys(found))


def _take_dates(text: str, found: list[Figure]) -> str:
    """`text` with its dates blanked out, the dates added to `found`."""

    def take(match: re.Match[str]) -> str:
        fields = match.groupdict()
        value = fields["y"]
        if fields.get("m"):
            month = fields["m"].rstrip(".")
            value += f"-{int(month) if month.isdigit() else _MONTHS[month.lower()]:02d}"
        if fields.get("d"):
            value += f"-{int(fields['d']):02d}"
        found.append(Figure(value, "date"))
        return " " * len(match.group())

    def take_range(match: re.Match[str]) -> str:
        until = match["to"] if len(match["to"]) == 4 else match["y"][:2] + match["to"]
        if int(until) <= int(match["y"]):
            return match.group()
        found.extend((Figure(match["y"], "date"), Figure(until, "date")))
        return " " * len(match.group())

    for pattern in _DATES[:-3]:
        text = pattern.sub(take, text)
    text = _YEARS.sub(take_range, text)
    for pattern in _DATES[-3:]:
        text = pattern.sub(take, text)
    return _YEAR.sub(take, text)


def _spelled(text: str) -> list[Figure]:
    found = []
    for match in _CHINESE_NUMBER.finditer(text):
        found.append(Figure(str(_chinese(match.group()))))
    for match in _ENGLISH_NUMBER.finditer(text):
        first, second = _WORDS[match[1].lower()], (match[2] or "").lower()
        if second in ("million", "billion"):
            found.append(Figure(_plain(Decimal(first) * 10 ** _SCALES[second])))
        elif second == "hundred":
            found.append(Figure(str(first * 100)))
        else:
            found.append(Figure(str(first + _WORDS.get(second, 0))))
    return found


def _chinese(numeral: str) -> int:
    total, digit = 0, 0
    for character in numeral:
        if character in _DIGITS:
            digit = _DIGITS[character]
        else:
            total += max(digit, 1) * {"十": 10, "百": 100, "千": 1000}[character]
            digit = 0
    return total + digit


def _amount(number: str, scale: str) -> Decimal:
    return Decimal(number.replace(",", "")) * Decimal(10) ** _SCALES[scale]


def _plain(value: Decimal) -> str:
    text = format(value.normalize(), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
