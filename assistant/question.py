"""A message in a conversation, understood: a standalone question, its views for the search, and what it asks for.

No model is needed: references are resolved by rules and by the names that the corpus itself carries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from assistant.records import Period, Question, Turn
from corpus.markdown import topic_id
from corpus.text import Lang, SourceText
from index.search import View
from index.words import fold, tokens

MAX_TURNS, MAX_CHARACTERS = 12, 12_000

_HAN = re.compile(r"[\u3400-\u9fff]")
_OTHER_SCRIPT = re.compile(r"[\u3040-\u30ff\uac00-\ud7af\u0400-\u04ff\u0600-\u06ff\u0590-\u05ff\u0e00-\u0e7f\u0900-\u097f\u0370-\u03ff]")
_ENGLISH = re.compile(
    r"\b(?:the|a|an|is|are|was|were|what|which|who|how|when|where|why|does|do|did|can|in|of|for|and|to|about|tell|give|list|it|i|any)\b", re.I
)
_OTHER_LANGUAGE = "This assistant answers in English and Chinese; the question seems to be in another language, so the answer is in English."

# Words that are also abbreviations in the corpus: as a name only when written in capitals.
_COMMON = frozenset(
    [
        "air",
        "step",
        "tech",
        "it",
        "has",
        "pass",
        "raise",
        "idea",
        "ace",
        "fit",
        "lift",
        "star",
        "seam",
        "hit",
        "pace",
        "aid",
        "ai",
        "hub",
        "lab",
        "sci",
        "app",
        "apps",
        "start",
        "cap",
        "act",
        "city",
        "smart",
    ]
)

_PRONOUN = re.compile(
    r"\b(?:its|their|his|her)\b|\b(?:it|they|them|this|these|those|that (?:one|scheme|programme|program|fund|body|company|park|law|centre|center|tool|institute|team)|he|she|him)\b"
    r"|\b(?:the (?:scheme|programme|program|fund|institute|centre|center|team|office|company|park|tool|law|project|body|committee|sandbox|same|former|latter|chatbot|bill|guideline|framework))\b",
    re.I,
)
_PRONOUN_CHINESE = re.compile(
    r"佢哋|佢地|佢|它們|它们|它|他們|她|(?:呢|嗰|這|这|那|該|该|此)(?:個|个|間|间|條|条|隻|只|項|项|份)?(?:計劃|计划|基金|機構|机构|公司|中心|辦公室|園區|法例|條例|工具|系統|政策|學院|研究院|委員會|小組|模型|項目|平台)?"
)
_ABOUT = re.compile(
    r"^(?:and|so|ok(?:ay)?|then|but)?[, ]*(?:what|how) about\b|^(?:and|or) (?!how|what|when|who|where|which|why|is|are|does|do|did|can)|^same (?:question )?(?:for|about)\b",
    re.I,
)
_ABOUT_CHINESE = re.compile(r"^(?:咁|那麼|那么|那|而|同埋|仲有)?(?P<x>.{1,24}?)(?:呢|又如何|又點)[？?！!。]*$")
_LEAD = re.compile(r"^(?:and|so|ok(?:ay)?|then|but|also|well|thanks|thank you|right)[, .!]+", re.I)
_CORRECTION = re.compile(
    r"^(?:no+|sorry|oops|wait|actually|not (?:that|this)(?: one)?)\b[,.!: -]*(?:i (?:meant|mean|was asking about|am asking about|asked about)|not [\w' ]+?,)?\s*|^i (?:meant|mean)\b\s*"
    r"|^(?:唔係|不是|不對|錯咗|搞錯|sorry)[,，。 ]*(?:我(?:係|是)?(?:指|問緊|問|講緊|想問|說)(?:的|嘅)?(?:是|係)?)?",
    re.I,
)
_SWITCH = re.compile(
    r"^(?:(?:on a )?(?:different|another|new|separate) (?:thing|topic|question|subject|note)|changing (?:the )?(?:topic|subject)|something else|unrelated)\b[^:：,，—-]*[:：,，—-]\s*"
    r"|^(?:另外(?:想)?(?:問|一提)?|轉(?:個)?話題|換個話題)[:：,，]?\s*",
    re.I,
)
_BACK = re.compile(r"\b(?:back to|going back to|returning to|return to)\b|(?:返去|回到|說回|講返|话说回)", re.I)
_ORDINALS = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4, "last": -1, "former": 0, "latter": -1,
             "第一": 0, "第二": 1, "第三": 2, "第四": 3, "第五": 4, "最後": -1, "前者": 0, "後者": -1}  # fmt: skip
_ORDINAL = re.compile(
    r"\bthe (first|1st|second|2nd|third|3rd|fourth|4th|fifth|last|former|latter)(?: (?:one|of (?:them|these|those|the (?:two|three|four|list))|scheme|programme|fund|company|body|option|name|university|topic|thing))?\b(?! \w*(?:phase|batch|round|cohort|year|quarter|half))"
    r"|(第一|第二|第三|第四|第五|最後)(?:個|間|项|項|條|隻|种|種)(?!月|季|階段|期|批|年)|(前者|後者)",
    re.I,
)
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?:[-/–](?:19|20)?\d\d)?(?!\d)")
_LATEST = re.compile(
    r"\b(?:latest|newest|most recent|recently|current|currently|now|nowadays|today|so far|to date|at present|at the moment|these days|as of now|up to date)\b"
    r"|最新|而家|現在|目前|依家|現時|至今|迄今|最近|今日|现在|现时", re.I)  # fmt: skip
_COMPARE = re.compile(
    r"\b(?:difference|differ|differs|compare|compared|comparison|versus|vs\.?|distinguish|rather than|better than|same as|or just)\b|分別|分别|區別|区别|比較|比较|對比|对比|有咩唔同|有何不同|不同",
    re.I,
)
_LIST = re.compile(
    r"\b(?:list|name (?:the|all|some|a few|two|three|four|five)|which (?:\w+ )?(?:universities|companies|firms|banks|schemes|funds|programmes|programs|incubators|bodies|departments|areas|sectors|fields|hospitals|schools|labs|laboratories|centres|projects|start-?ups|laws|rules|\w+s)\b"
    r"|what (?:are|were) (?:the|all|some)|what (?:\w+ ){0,2}(?:schemes|funds|grants|programmes|companies|kinds|types|ways|areas|tools|uses|universities|steps|requirements)|who are|examples? of|any \w+s)"
    r"|有哪些|有哪幾|有边些|有邊啲|有咩.{0,6}(?:計劃|資助|公司|機構|項目)|列出|哪些|哪幾|邊幾|邊啲|邊間", re.I)  # fmt: skip
_FIGURE = re.compile(r"\b(?:how (?:much|many|long|large|big|old|far|fast|often|high|soon)|when|what (?:year|date|share|percentage|proportion|amount|number|rank|is the (?:maximum|minimum|ceiling|cap|limit|rate))|since when|cost|price|budget)\b"
                     r"|幾多|多少|幾時|何時|幾耐|多久|幾大|百分之|上限|金額|幾錢|哪一年|邊年|第幾|几多|何时", re.I)  # fmt: skip
_ABOUT_KIND = re.compile(r"^(?:so )?(?:what(?:'s| is| are| was)|who(?:'s| is| are)|tell me (?:more )?about|explain|describe|give me (?:an )?overview|introduce)\b|^(?:乜嘢係|什麼是|甚麼是|什么是|介紹|简介|簡介|講下|說說)|(?:係咩|是什麼|是甚麼|是什么|係乜|係乜嘢|是什麼來的)[？?呀啊嚟㗎]*$", re.I)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Name:
    """A name as it stands in a text: what is written there, the topics it may mean, and where."""

    written: str
    topics: tuple[str, ...]
    start: int
    end: int


class Names:
    """The names that the corpus carries: titles and aliases of its texts, in both languages."""

    def __init__(self, texts: Iterable[SourceText]) -> None:
        self._topics: dict[str, list[str]] = {}
        self._titles: dict[tuple[str, str], str] = {}
        for text in texts:
            if text.own:
                continue
            topic = topic_id(text)
            self._titles[topic, text.lang] = text.title
            for name in (re.sub(r"^The ", "", text.title), *text.aliases):
                key = fold(name).strip()
                if len(key) > 1 and key != "ai":
                    topics = self._topics.setdefault(key, [])
                    if topic not in topics:
                        topics.append(topic)
        ordered = sorted(self._topics, key=len, reverse=True)
        pattern = "|".join(rf"(?<![a-z0-9]){re.escape(key)}(?![a-z0-9])" if key.isascii() else re.escape(key) for key in ordered)
        self._pattern = re.compile(pattern or r"(?!)")

    def find(self, text: str) -> list[Name]:
        """The names in `text`, in order; of overlapping ones the longest."""
        folded = fold(text)
        if len(folded) != len(text):  # folding changed the length, so offsets would not fit
            text = folded
        found = []
        for match in self._pattern.finditer(folded):
            written = text[match.start() : match.end()]
            if match.group() in _COMMON and not written.isupper():
                continue
            found.append(Name(written, tuple(self._topics[match.group()]), match.start(), match.end()))
        return found

    def title(self, topic: str, lang: Lang) -> str:
        """The title of a topic in a language, or in the other if there is no text in it."""
        return self._titles.get((topic, lang)) or self._titles.get((topic, "en" if lang == "zh" else "zh"), topic)


def language(text: str) -> tuple[Lang, bool]:
    """The language to answer in, and whether the text is in neither English nor Chinese."""
    if _OTHER_SCRIPT.search(text):
        return "en", True
    if _HAN.search(text):
        return "zh", False
    letters = re.sub(r"[^A-Za-zÀ-ÿ ]", " ", text)
    if len(letters.split()) < 4 or _ENGLISH.search(letters):
        return "en", False
    import py3langid

    guess, _ = py3langid.classify(letters)
    return "en", guess in {"fr", "de", "es", "it", "pt", "nl", "id", "ms", "vi", "tl", "tr", "pl", "sv"}


def understand(asked: str, turns: Sequence[Turn], names: Names, lang: Lang | None = None, *, known: Callable[[str], bool] = lambda token: True) -> Question:
    """The question that `asked` stands for after `turns`; the question as asked is always one of the views.

    `known` tells whether the corpus has a token at all: a short message with a word that it has not is a change of topic.
    """
    asked = asked.strip()
    detected, foreign = language(asked)
    state = _State("", (), "")
    for turn in _recent(turns):
        state = state.hear(turn, names, known)
    standalone, sure = _resolve(asked, state, names, known)
    views = [View(asked)]
    if standalone != asked:
        views.append(View(standalone))
        if sure:
            views[0] = View(asked, 0.6)
    own = names.find(standalone)
    if state.question and not own and standalone == asked and not _SWITCH.match(asked):
        context = " ".join(name.written for name in state.focus[:2]) or state.question
        views.append(View(f"{asked} {context}", 0.7))
    topics = tuple(dict.fromkeys(topic for name in own if len(name.topics) <= 4 for topic in name.topics))
    expanded = _with_titles(standalone, own, names, lang or detected)
    if expanded != standalone:
        views.append(View(expanded, 0.9))
    return Question(
        asked=asked,
        standalone=standalone,
        views=tuple(views),
        lang=lang or detected,
        names=topics,
        period=period(standalone),
        kind=kind(standalone, own),
        warnings=(_OTHER_LANGUAGE,) if foreign else (),
    )


def period(text: str) -> Period:
    """The time that `text` asks about."""
    years = [match[:4] for match in _YEAR.findall(text)]
    if years:
        return Period(since=min(years), until=max(years))
    return Period(latest=bool(_LATEST.search(text)))


def kind(text: str, own: Sequence[Name] = ()) -> Literal["fact", "figure", "list", "compare", "about"]:
    """The form of answer that `text` calls for."""
    if _COMPARE.search(text):
        return "compare"
    if _FIGURE.search(text):
        return "figure"
    if _LIST.search(text):
        return "list"
    if _ABOUT_KIND.search(text.strip()) and own and len(tokens(text)) <= len(tokens(own[0].written)) + 2:
        return "about"
    return "fact"


@dataclass(frozen=True, slots=True)
class _State:
    """The conversation so far: the last standalone question, the names in focus, what was last answered."""

    question: str
    focus: tuple[Name, ...]
    answer: str
    earlier: tuple[tuple[Name, ...], ...] = ()

    def hear(self, turn: Turn, names: Names, known: Callable[[str], bool]) -> _State:
        if turn.role == "assistant":
            focus = self.focus or tuple(_main_names(names.find(turn.content)))
            return replace(self, answer=turn.content, focus=focus)
        standalone, _ = _resolve(turn.content.strip(), self, names, known)
        found = tuple(_main_names(names.find(standalone)))
        return _State(standalone, found or self.focus, self.answer, (*self.earlier, found) if found else self.earlier)


def _recent(turns: Sequence[Turn]) -> list[Turn]:
    """The last turns that fit, oldest first; empty ones left out."""
    kept: list[Turn] = []
    size = 0
    for turn in reversed(turns):
        size += len(turn.content)
        if len(kept) == MAX_TURNS or (kept and size > MAX_CHARACTERS):
            break
        if turn.content.strip():
            kept.append(replace(turn, content=turn.content[:MAX_CHARACTERS]))
    return kept[::-1]


def _resolve(asked: str, state: _State, names: Names, known: Callable[[str], bool]) -> tuple[str, bool]:
    """The standalone form of `asked`, and whether it was certain that it leaned on the conversation."""
    if not state.question and not state.answer:
        return asked, False
    switched = _SWITCH.sub("", asked)
    if switched != asked:
        return switched, False
    own = names.find(asked)
    correction = _CORRECTION.match(asked)
    if correction and correction.end() and own and state.question:
        rest = asked[correction.end() :]
        if len(tokens(rest)) - sum(len(tokens(name.written)) for name in own) <= 2:
            return _exchange(state.question, rest.strip(" .?!。？"), own, names), True
        return rest, True
    ordinal = _ORDINAL.search(asked)
    if ordinal:
        chosen = _item(ordinal, state, names, back=bool(_BACK.search(asked)))
        if chosen:
            return _LEAD.sub("", asked[: ordinal.start()] + chosen + asked[ordinal.end() :]), True
    about = _ABOUT.match(asked)
    chinese = _ABOUT_CHINESE.match(asked)
    if (about or chinese) and state.question:
        rest = (asked[about.end() :] if about else chinese["x"] if chinese else asked).strip(" ?？.。!")
        return _carried(rest, state, names), True
    if _BACK.search(asked) and own:
        return asked, False
    if own and not _needs_context(asked, own):
        return asked, False
    focus = state.focus[0].written if state.focus else ""
    pronoun = _PRONOUN.search(asked) or _PRONOUN_CHINESE.search(asked)
    if pronoun and focus and not own:
        ending = "'s" if pronoun.group().lower() in ("its", "their", "his", "her") else ""
        return _LEAD.sub("", asked[: pronoun.start()] + focus + ending + asked[pronoun.end() :]), True
    if focus and not own and len(tokens(asked)) <= 3 and all(map(known, tokens(asked))):
        years = _YEAR.findall(asked)
        if years and len(tokens(asked)) <= 2:
            return _carried(_LEAD.sub("", asked).strip(" ?？"), state, names), True
        return f"{_LEAD.sub('', asked)} ({focus})", True
    return asked, False


def _needs_context(asked: str, own: Sequence[Name]) -> bool:
    """Whether nothing but names stands in the question."""
    return len(tokens(asked)) <= sum(len(tokens(name.written)) for name in own) and len(tokens(asked)) <= 3


def _carried(rest: str, state: _State, names: Names) -> str:
    """The last question asked again about `rest`: another name, another time, another attribute."""
    own = names.find(rest)
    if own or re.match(r"^(?:the )?[A-Z][\w&+.-]*(?: [A-Z][\w&+.-]*)*$", rest):
        return _exchange(state.question, rest, own, names)
    if _YEAR.search(rest):
        return f"{_YEAR.sub('', state.question).rstrip(' ?？')} {rest}?"
    focus = f" ({state.focus[0].written})" if state.focus else f" ({state.question})"
    return f"{rest}{focus}"


def _exchange(question: str, rest: str, own: Sequence[Name], names: Names) -> str:
    """`question` with its first name replaced by what `rest` names."""
    new = own[0].written if own else rest
    old = names.find(question)
    if not old or len(fold(question)) != len(question):
        return f"{question} {rest}"
    kept = question
    for name in reversed(old):
        same = set(name.topics) & set(old[0].topics)
        if same:
            kept = kept[: name.start] + (new if name is old[0] else "") + kept[name.end :]
    return re.sub(r"\s+", " ", kept)


def _item(ordinal: re.Match[str], state: _State, names: Names, *, back: bool) -> str:
    """What an ordinal points at: an item of the last answer's list, one of its names, or an earlier topic."""
    position = _ORDINALS[next(group for group in ordinal.groups() if group).lower()]
    if back and state.earlier:
        return _pick([found[0].written for found in state.earlier], position)
    bullets = re.findall(r"^\s*(?:[-*•]|\d+[.)])\s+(.+)$", state.answer, re.MULTILINE)
    if len(bullets) > 1:
        chosen = _pick(bullets, position)
        found = names.find(chosen)
        return found[0].written if found else re.split(r"[:：,，(（]", chosen)[0].strip()
    candidates = list(dict.fromkeys(name.written for name in names.find(state.answer))) or [name.written for name in names.find(state.question)]
    return _pick(candidates, position)


def _pick(candidates: list[str], position: int) -> str:
    return candidates[position] if -len(candidates) <= position < len(candidates) else ""


def _main_names(found: Sequence[Name]) -> list[Name]:
    """Names that say something: those that few topics share come first."""
    return sorted(found, key=lambda name: len(name.topics) > 4)


def _with_titles(text: str, own: Sequence[Name], names: Names, lang: Lang) -> str:
    """`text` with the titles of the topics that its names mean, for abbreviations and names in the other language."""
    titles = [names.title(topic, lang) for name in own for topic in name.topics if len(name.topics) == 1]
    missing = [title for title in dict.fromkeys(titles) if fold(title) not in fold(text)]
    return " ".join([text, *missing[:2]])
