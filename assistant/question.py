"""A message in a conversation, understood: a standalone question, its views for the search, and what it asks for.

No model is needed: references are resolved by rules and by the names that the corpus itself carries.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import TypeVar

from assistant import cues
from assistant.manners import manner
from assistant.marks import unnumbered
from assistant.records import Kind, Period, Question, Side, Turn
from corpus.markdown import topic_id
from corpus.text import HAN, Lang, SourceText
from index.search import View
from index.words import fold, tokens

T = TypeVar("T")

MAX_TURNS, MAX_CHARACTERS, MAX_PARTS, MAX_SIDES, MAX_THINGS = 12, 12_000, 3, 3, 12
# The most characters between two names that a word of comparison joins.
NEAR = 60
# How much what the last answer said counts in looking for what a message that leans on it asks, and how many characters of it.
ANSWERED, OPENING = 0.5, 200

_OTHER_SCRIPT = re.compile(r"[\u3040-\u30ff\uac00-\ud7af\u0400-\u04ff\u0600-\u06ff\u0590-\u05ff\u0e00-\u0e7f\u0900-\u097f\u0370-\u03ff]")
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?:[-/–](?:19|20)?\d\d)?(?!\d)")
_WHEN = re.compile(
    r"(?:(?:early|mid|late|the end of|end of|spring|summer|autumn|winter|"
    r"January|February|March|April|May|June|July|August|September|October|November|December)[ -]?)*"
    r"(?<!\d)(?:19|20)\d\d(?!\d)(?:年(?:\d{1,2}月)?(?:初|中|底)?)?",
    re.IGNORECASE,
)
_ACRONYM = re.compile(r"(?<![A-Za-z])[A-Z][A-Za-z]*[A-Z+][A-Za-z+]*(?![a-z])")
_CAPITAL = r"[A-Z][\w&+-]*(?:\.[\w&+-]+)*"
_CAPITALS = rf"{_CAPITAL}(?: {_CAPITAL})*"
_LATIN = re.compile(_CAPITALS, re.ASCII)
_EITHER = re.compile(rf"(?P<one>{_CAPITALS})(?:,? or|,? vs\.?|,? versus) (?:the |an? )?(?P<other>{_CAPITALS})", re.ASCII)
_NTH = re.compile(r"\b(?:first|second|third|fourth|fifth)\b", re.IGNORECASE)
_NAMED = re.compile(r"^(?:the )?(?P<name>[A-Z][\w&+.-]*(?: [A-Z][\w&+.-]*)*?)(?:['’]s?)?$")

OTHER_LANGUAGE = "This assistant answers in English and Chinese; the question seems to be in another language, so the answer is in English."
_FOREIGN = frozenset(("fr", "de", "es", "it", "pt", "nl", "id", "ms", "vi", "tl", "tr", "pl", "sv"))

# Words that are also abbreviations in the corpus: a name only when written in capitals.
_COMMON = frozenset(
    {"air", "step", "tech", "it", "has", "pass", "raise", "idea", "ace", "fit", "lift", "star", "seam", "hit", "pace", "aid", "ai", "hub", "lab", "sci"}
    | {"app", "apps", "start", "cap", "act", "city", "smart", "access", "hear"}
)


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
        self._aliases: dict[str, list[str]] = {}
        for text in texts:
            if text.own:
                continue
            topic = topic_id(text)
            self._titles[topic, text.lang] = text.title
            self._aliases.setdefault(topic, []).extend((text.title, *text.aliases))
            for name in (re.sub(r"^The ", "", text.title), *text.aliases):
                key = fold(name).strip()
                if len(key) > 1 and key != "ai":
                    topics = self._topics.setdefault(key, [])
                    if topic not in topics:
                        topics.append(topic)
        # The longest first. Those in Chinese have no bounds of words, and none of them is the beginning of one without Chinese.
        chinese, ascii = ("|".join(re.escape(key) for key in sorted(self._topics, key=len, reverse=True) if key.isascii() == alike) for alike in (False, True))
        self._pattern = re.compile(rf"{chinese or '(?!)'}|(?<![a-z0-9])(?:{ascii or '(?!)'})(?![a-z0-9])")

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

    def aliases(self, topic: str) -> tuple[str, ...]:
        """Every name of a topic, in both languages."""
        return tuple(dict.fromkeys(self._aliases.get(topic, ())))

    def title(self, topic: str, lang: Lang) -> str:
        """The title of a topic in a language, or in the other if there is no text in it."""
        return self._titles.get((topic, lang)) or self._titles.get((topic, "en" if lang == "zh" else "zh"), topic)


def language(text: str) -> tuple[Lang, bool]:
    """The language to answer in, and whether the text is in neither English nor Chinese."""
    if cues.IN_CHINESE.search(text) or cues.IN_ENGLISH.search(text):
        return "zh" if cues.IN_CHINESE.search(text) else "en", False
    if _OTHER_SCRIPT.search(text):
        return "en", True
    if HAN.search(text):
        return "zh", False
    letters = re.sub(r"[^A-Za-zÀ-ÿ ]", " ", text)
    if len(letters.split()) < 4 or cues.ENGLISH.search(letters):
        return "en", False
    import py3langid

    guess, _ = py3langid.classify(letters)
    return "en", guess in _FOREIGN


def understand(asked: str, turns: Sequence[Turn], names: Names, lang: Lang | None = None, *, known: Callable[[str], bool] = lambda token: True) -> Question:
    """The question that `asked` stands for after `turns`; the question as asked is always one of the views.

    `known` tells whether the corpus has a token at all: a short message with a word that it has not is a change of topic.
    """
    asked = asked.strip()
    detected, foreign = language(asked)
    state = _State()
    for turn in _recent(turns):
        state = state.hear(turn, names, known)
    reading = _resolve(asked, state, names, known)
    standalone = reading.standalone
    own = names.find(standalone)
    # A message that leans on a name surely means it; the question before, put behind it in brackets, may be another subject.
    alone = _bare(standalone)
    surely = alone == standalone or len(own) > len(names.find(asked))
    views = {asked: 0.6 if reading.leans and surely else 1.0, standalone: 0.6 if reading.leans and not surely else 1.0}
    if reading.other:
        views.setdefault(reading.other, 0.8)
    if state.question and not reading.fresh and (reading.leans or not own or cues.LEAD.match(asked)):
        views.setdefault(f"{state.question} {asked}", 0.6)
    told = (reading.recalled or state).answers[:1] if reading.leans or reading.other else ()
    if told:  # "since then", "that batch", "did they reach it?": what is meant stands in the answer, not in the question before
        views.setdefault(f"{alone} {unnumbered(told[0][:OPENING])}", ANSWERED)
    titled = _with_titles(standalone, own, names, lang or detected)
    parts = tuple(part + standalone[len(alone) :] for part in _parts(alone, names, known))
    for part in parts:
        views.setdefault(part, 0.8)
    others = (reading.other, reading.also, asked if reading.leans and _stands_alone(asked, names) else "", "" if reading.leans else _asking(standalone))
    question = Question(
        asked=asked,
        standalone=standalone,
        views=(*(View(text, weight) for text, weight in views.items()), *([View(titled, 0.9, words_only=True)] if titled not in views else [])),
        lang=lang or detected,
        warnings=(OTHER_LANGUAGE,) if foreign else (),
        others=tuple(dict.fromkeys(other for other in others if other and other != standalone)),
        parts=parts,
    )
    return read_as(question, standalone, names)


def read_as(question: Question, standalone: str, names: Names) -> Question:
    """`question`, taken to stand for `standalone`; what it leans on, in brackets, is no part of what it asks for."""
    own, alone = names.find(standalone), _bare(standalone)
    topics = tuple(dict.fromkeys(topic for name in own if len(name.topics) <= 4 for topic in name.topics))
    sides = _sides(alone, names)
    form: Kind = "compare" if sides else kind(alone, own)
    same = alone == _bare(question.standalone)
    parts = tuple(_bare(part) + standalone[len(alone) :] for part in question.parts) if same and alone != standalone else question.parts
    return replace(question, standalone=standalone, names=topics, period=period(alone), kind=form, sides=sides, parts=parts)


def _sides(text: str, names: Names) -> tuple[Side, ...]:
    """The things that `text` sets beside one another, or none: names, and other words in capitals, where it joins them and says that they are compared."""
    compared = bool(cues.EACH.search(text) or cues.COMPARE.search(text))
    if not compared and not cues.OR.search(text):
        return ()
    runs: list[list[Name]] = []
    for name in _things(text, names):
        between = text[runs[-1][-1].end : name.start] if runs else ""
        if runs and between.strip() in ("(", "（"):  # its abbreviation
            closed = re.compile(r"\s*[)）]?").match(text, name.end)
            runs[-1][-1] = replace(runs[-1][-1], end=closed.end() if closed else name.end)
            continue
        joined = cues.OR.fullmatch(between) or (compared and (cues.AND.fullmatch(between) or (len(between) < NEAR and cues.COMPARE.search(between))))
        if runs and joined:
            runs[-1].append(name)
        else:
            runs.append([name])
    run = next((run for run in runs if 1 < len({fold(name.written) for name in run}) == len(run) <= MAX_SIDES), [])
    shared = Counter(topic for name in run for topic in name.topics)
    alone = [tuple(topic for topic in name.topics if shared[topic] == 1) for name in run]
    return tuple(Side((name.written, *(alias for topic in topics for alias in names.aliases(topic))), topics) for name, topics in zip(run, alone, strict=True))


def _things(text: str, names: Names) -> list[Name]:
    """What `text` may compare, in order: names of the corpus, those that a name like "A vs B" is made of, and other words in capitals."""
    found: list[Name] = []
    for name in names.find(text):
        pieces = list(cues.MADE_OF.finditer(name.written))
        cuts = [0, *(at for piece in pieces for at in piece.span()), len(name.written)]
        inside = [one for start, end in zip(cuts[::2], cuts[1::2], strict=True) for one in names.find(name.written[start:end])[:1]]
        if pieces and len(inside) == len(pieces) + 1:
            found += [
                Name(one.written, one.topics, name.start + start + one.start, name.start + start + one.end)
                for one, start in zip(inside, cuts[::2], strict=True)
            ]
        else:
            found.append(name)
    others = [Name(match.group(), (), *match.span()) for match in _ACRONYM.finditer(text) if len(match.group()) > 2]
    for match in _EITHER.finditer(text):
        for side in ("one", "other"):
            written = cues.OPENS.sub("", match[side], count=1)
            others.append(Name(written, (), match.end(side) - len(written), match.end(side)))
    for other in sorted(others, key=lambda other: other.start):
        if other.written and not any(other.start < one.end and one.start < other.end for one in found):
            found.append(other)
    return sorted(found, key=lambda one: one.start)[:MAX_THINGS]


def period(text: str, today: date | None = None) -> Period:
    """The time that `text` asks about; "last year" and the like count from `today`."""
    years = _YEAR.findall(text)
    if years:
        return Period(since=min(years), until=max(years))
    today = today or date.today()
    for pattern, month in cues.SINCE_ADDRESS:
        if pattern.search(text):
            return Period(since=f"{today.year - (today.month <= month)}-{month:02}", until=f"{today:%Y-%m}", latest=True)
    for pattern, ago in cues.YEARS_AGO:
        if pattern.search(text):
            return Period(since=str(today.year - ago), until=str(today.year - ago))
    return Period(latest=bool(cues.LATEST.search(text)))


def kind(text: str, own: Sequence[Name] = ()) -> Kind:
    """The form of answer that `text` calls for."""
    if cues.COMPARE.search(text):
        return "compare"
    if cues.TIMELINE.search(text):
        return "timeline"
    if cues.HOW_TO.search(text):
        return "how_to"
    if cues.FIGURE.search(text):
        return "figure"
    if cues.LIST.search(text):
        return "list"
    if cues.ABOUT.search(text.strip()) and own and len(tokens(text)) <= len(tokens(own[0].written)) + 2:
        return "about"
    if cues.YES_NO.search(text.strip()) or cues.YES_NO_CHINESE.search(text):
        return "yes_no"
    return "fact"


@dataclass(frozen=True, slots=True)
class _State:
    """The conversation so far: the last question, what it was about, the answers, newest first, what the last one brought up, the question that
    it leaned on, if it could not stand alone, and how all this stood before each question but the first."""

    question: str = ""
    focus: tuple[Name, ...] = ()
    answers: tuple[str, ...] = ()
    brought_up: tuple[Name, ...] = ()
    earlier: tuple[Name, ...] = ()
    standing: str = ""
    before: tuple[_State, ...] = ()

    def hear(self, turn: Turn, names: Names, known: Callable[[str], bool]) -> _State:
        if turn.role == "assistant":
            about = {topic for name in self.focus for topic in name.topics}
            new = tuple(name for name in names.find(turn.content) if not about & set(name.topics))
            return replace(self, answers=(turn.content, *self.answers), brought_up=new)
        reading = _resolve(turn.content.strip(), self, names, known)
        held = reading.recalled or self
        found = tuple(names.find(reading.standalone))
        focus = found if found or reading.fresh else held.focus
        question = _bare(reading.standalone)
        if self.question and question == self.question:  # it asked of the answer
            return self
        standing = "" if question == reading.standalone else held.standing or held.question
        before = (*self.before, replace(self, before=())) if self.question else ()
        return replace(self, question=question, focus=focus, earlier=(*self.earlier, *found[:1]), standing=standing, before=before)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a message stands for: its standalone form, a second and a third possible one, whether it leans on the turns before or is a fresh start, and the
    conversation that it goes back to."""

    standalone: str
    leans: bool = False
    other: str = ""
    also: str = ""
    fresh: bool = False
    recalled: _State | None = None


def _recent(turns: Sequence[Turn]) -> list[Turn]:
    """The last turns that fit, oldest first; empty ones left out, and greetings, thanks and the like with what was said to them."""
    kept: list[Turn] = []
    size = 0
    for at in reversed(range(len(turns))):
        turn = turns[at]
        asked = at - 1 if turn.role == "assistant" and at else at
        if turns[asked].role == "user" and manner(turns[asked].content, first=asked == 0):
            continue
        size += len(turn.content)
        if len(kept) == MAX_TURNS or (kept and size > MAX_CHARACTERS):
            break
        if turn.content.strip():
            kept.append(replace(turn, content=turn.content[:MAX_CHARACTERS]))
    return kept[::-1]


def _resolve(asked: str, state: _State, names: Names, known: Callable[[str], bool]) -> _Reading:
    """The standalone form of `asked`: the first rule that fits, in order from the most to the least explicit."""
    spoken = cues.SPEAK.sub("", asked).strip()
    if re.search(r"\w", spoken):
        asked = spoken
    elif state.question and spoken != asked:  # a language is asked for, and no more
        return _Reading(_again(state.question, state, names), leans=True)
    if not state.question and not state.answers:
        return _Reading(asked)
    switched = cues.SWITCH.sub("", asked).strip()
    if switched != asked:
        return _Reading(switched, fresh=True)
    own = names.find(asked)
    if state.question and not own and cues.OF_ANSWER.fullmatch(asked.strip(" ?？.。!！")):
        return _Reading(_again(state.question, state, names), leans=True)
    correction = cues.CORRECTION.match(asked)
    if correction and state.question:
        rest = asked[correction.end() :].strip()
        corrected = _corrected(rest, state, names)
        return _Reading(_again(corrected, state, names), leans=True, other=_adding(state.question, rest) if corrected == rest else "")
    back = cues.GOES_BACK.match(asked)
    recalled = _recalled(back["what"], state, names) if back else None
    if back and recalled:
        recalled = replace(recalled, brought_up=() if recalled.focus else recalled.brought_up)
        there = _resolve(back["rest"], recalled, names, known)
        standalone, other = (there.standalone, there.other) if there.leans or not there.other else (there.other, there.also)
        return _Reading(standalone, leans=True, other=other, recalled=recalled)
    ordinal = cues.ORDINAL.search(asked)
    earlier = _NTH.search(state.question) if ordinal else None
    if ordinal and earlier and len(tokens(asked)) <= 1:
        return _Reading(f"{state.question[: earlier.start()]}{ordinal['en'] or earlier.group()}{state.question[earlier.end() :]}", leans=True)
    if ordinal and (chosen := _item(ordinal, state, names, back=bool(cues.BACK.search(asked)))):
        return _Reading(cues.LEAD.sub("", asked[: ordinal.start()] + chosen + asked[ordinal.end() :]), leans=True)
    about, chinese = cues.WHAT_ABOUT.match(asked), cues.WHAT_ABOUT_CHINESE.match(asked)
    if (about or chinese) and state.question:
        rest = asked[about.end() :] if about else chinese["x"] if chinese else asked
        rest = re.sub(r"\s*[(（].*?[)）]", "", rest)
        rest = rest.strip(" ?？.。!")
        carried = _again(_carried(rest, state, names), state, names)
        if cues.ASKS.search(rest) and len(tokens(rest)) > 3 and not names.find(rest) and not cues.PRONOUN.match(rest):  # it asks by itself
            return _Reading(rest, leans=True, other=carried)
        return _Reading(carried, leans=True)
    if own and (cues.BACK.search(asked) or cues.ABOUT.search(asked) or len(tokens(asked)) > sum(len(tokens(name.written)) for name in own)):
        return _Reading(asked)
    pronoun = cues.PRONOUN.search(asked)
    if pronoun and not own:
        return _referring(asked, pronoun, state, names)
    if own and state.question and len(tokens(asked)) <= 3:
        return _Reading(_again(_carried(asked.strip(" ?？"), state, names), state, names), leans=True)
    content = tokens(_without_function_words(asked))
    if len(content) <= 3 and all(map(known, content)):
        if _YEAR.search(asked) and len(tokens(asked)) <= 2:
            return _Reading(_again(_carried(cues.LEAD.sub("", asked).strip(" ?？"), state, names), state, names), leans=True)
        led = cues.LEAD.sub("", asked)
        return _Reading(f"{led} ({_context(state)})", leans=True, other=f"{led} ({_subject(state)})")
    return _Reading(asked) if own else _Reading(asked, other=f"{asked} ({_context(state)})", also=f"{asked} ({_subject(state)})")


def _recalled(what: str, state: _State, names: Names) -> _State | None:
    """The conversation as it stood when it was about `what`: a name, an ordinal, or the words of an exchange; of a word or two that none
    has, such as "the bank", the first exchange. None where it is no subject of this conversation."""
    named = {topic for name in names.find(what) for topic in name.topics}
    if named:
        held = (past for past in reversed((*state.before, state)) if named & {topic for name in past.focus for topic in name.topics})
        return next(held, _State(question=what, focus=tuple(names.find(what))))
    if not state.before:
        return None
    ordinal = cues.ORDINAL.search(what)
    if ordinal:
        return _pick((*state.before, state), _position(ordinal)) or state.before[0]
    words = tokens(what)
    said = [tokens(f"{past.question} {' '.join(past.answers[:1])}") for past in state.before]
    alike = [sum(any(_akin(word, other) for other in others) for word in words) for others in said]
    if any(alike):
        return max(zip(alike, range(len(alike)), state.before, strict=True))[2]
    brief = len(words) <= 2 or (len(cues.OF_JUST_NOW.sub("", what)) <= 6 and bool(HAN.search(what)))
    return state.before[0] if brief else None


def _akin(word: str, other: str) -> bool:
    """Whether two words are one, or one begins with the other, as `robot` and `robotics` do."""
    return word == other or (min(len(word), len(other)) > 3 and (word.startswith(other) or other.startswith(word)))


def _again(question: str, state: _State, names: Names) -> str:
    """`question`, made of the last one, with what that leaned on where it has no name of its own."""
    return f"{question} ({_subject(state)})" if state.standing and not names.find(question) else question


def _without_function_words(text: str) -> str:
    """Chinese without the words that every question has: cut into pairs of characters, they would count as several that no text holds."""
    return cues.FUNCTION_WORDS.sub(" ", cues.ASKS.sub(" ", text)) if HAN.search(text) else text


def _parts(text: str, names: Names, known: Callable[[str], bool]) -> tuple[str, ...]:
    """The questions that `text` asks at once, each on its own: the later ones lean on the first. None if it asks but one."""
    cuts = [0]
    joints = list(cues.JOINT.finditer(text))
    for joint, after in zip(joints, [*(joint.start() for joint in joints[1:]), len(text)], strict=False):
        piece = text[joint.end() : after]
        timed = _YEAR.search(piece) and len(tokens(piece)) <= 4
        if cues.ASKS.search(text[cuts[-1] : joint.start()]) and (cues.ASKS.search(piece) or timed):
            cuts.append(joint.start())
    if not 1 < len(cuts) <= MAX_PARTS:
        return ()
    first, *rest = (cues.JOINT.sub("", text[start:end], count=1) if start else text[:end] for start, end in pairwise([*cuts, len(text)]))
    state = _State().hear(Turn("user", first), names, known)
    return (first, *(_leaning(piece.strip(" ?？.。"), state, names, known) for piece in rest))


def _leaning(piece: str, state: _State, names: Names, known: Callable[[str], bool]) -> str:
    """A later question of a message, which leans on the first, on its own."""
    when = _WHEN.search(piece)
    if when and _WHEN.search(state.question) and len(tokens(piece)) <= 4:
        return _WHEN.sub(when.group(), state.question, count=1)
    reading = _resolve(piece, state, names, known)
    standalone = reading.standalone if reading.leans or not reading.other else reading.other
    return standalone.replace(f"({_context(state)})", f"({_subject(state)})")  # the rest of the first is not asked again


def _stands_alone(asked: str, names: Names) -> bool:
    """Whether a message names something and says more than names."""
    own = names.find(asked)
    return bool(own) and len(tokens(asked)) > sum(len(tokens(name.written)) for name in own) + 1


def _asking(text: str) -> str:
    """Of a message of several sentences the one that asks, if only one does."""
    asking = [part.strip() for part in re.split(r"(?<=[.!?])\s+|(?<=[。！？\n])\s*", text) if part.strip().endswith(("?", "？"))]
    return asking[0] if len(asking) == 1 and len(asking[0]) < len(text.strip()) and len(tokens(asking[0])) > 1 else ""


def _subject(state: _State) -> str:
    """What the conversation is about: the name in focus, else the last question."""
    return state.focus[0].written if state.focus else state.brought_up[0].written if state.brought_up else state.standing or state.question


def _context(state: _State) -> str:
    """What a message without a subject of its own leans on: the last question, with the name in focus where it does not hold that."""
    question, subject = f"{state.standing} {state.question}".strip(), _subject(state)
    return question if fold(subject) in fold(question) else f"{subject}: {question}"


def _bare(question: str) -> str:
    """A standalone question without the subject in brackets that a rule has put behind it."""
    return re.sub(r"\s*\([^()]*(?:\([^()]*\)[^()]*)*\)$", "", question)


def _referring(asked: str, pronoun: re.Match[str], state: _State, names: Names) -> _Reading:
    """`asked` with its pronoun replaced by what was asked about, or by what the answer brought up, whichever it points at."""
    lang, _ = language(asked)
    focus = [_in_language(name, lang, names) for name in state.focus[:1]]
    brought_up = [_in_language(name, lang, names) for name in state.brought_up[:1]]
    at_answer = cues.POINTS_AT_ANSWER.search(asked) or cues.ASKS_FOR_NAME.search(state.question)
    candidates = brought_up + focus if at_answer else focus + brought_up
    if not candidates:
        return _Reading(f"{asked} ({_context(state)})", leans=True) if state.question else _Reading(asked)
    ending = "'s" if cues.POSSESSIVE.fullmatch(pronoun.group()) else ""
    readings = [cues.LEAD.sub("", f"{asked[: pronoun.start()]}{name}{ending}{asked[pronoun.end() :]}") for name in candidates]
    return _Reading(readings[0], leans=True, other=readings[1] if len(readings) > 1 else "")


def _in_language(name: Name, lang: Lang, names: Names) -> str:
    """The name as it was written, or the title of what it names where it was written in Chinese and the question is English."""
    return names.title(name.topics[0], lang) if lang == "en" and HAN.search(name.written) and len(name.topics) == 1 else name.written


def _corrected(rest: str, state: _State, names: Names) -> str:
    """The last question about what a correction names, or the correction itself if it is a whole question."""
    own = names.find(rest)
    beyond = len(tokens(rest)) - sum(len(tokens(name.written)) for name in own)
    if own and (beyond > 2 or cues.FIGURE.search(rest)):
        return rest
    if own or _NAMED.match(rest.strip(" .?!。？")):
        return _exchange(state.question, rest.strip(" .?!。？"), own, names)
    return _adding(state.question, rest)


def _carried(rest: str, state: _State, names: Names) -> str:
    """The last question asked again about `rest`: another name, another time, another attribute."""
    own = names.find(rest)
    if own or _NAMED.match(rest):
        return _exchange(state.question, rest, own, names)
    year = _YEAR.search(rest)
    if year:
        if _YEAR.search(state.question) and len(tokens(rest)) <= 2:
            return _YEAR.sub(year.group(), state.question, count=1)
        return f"{state.question.rstrip(' ?？')} {rest}?" if len(tokens(rest)) <= 2 else f"{rest} ({_context(state)})"
    return f"{rest} ({_context(state)})"


def _exchange(question: str, rest: str, own: Sequence[Name], names: Names) -> str:
    """`question` with its first name replaced by what `rest` names."""
    named = _NAMED.match(rest)
    new = own[0].written if own else named["name"] if named else rest
    old = names.find(question) if len(fold(question)) == len(question) else []
    if not old:
        acronym = _ACRONYM.search(question) or (_LATIN.search(question) if HAN.search(question) else None)
        return question[: acronym.start()] + new + question[acronym.end() :] if acronym else _adding(question, rest)
    for name in reversed(old):
        if set(name.topics) & set(old[0].topics):
            question = question[: name.start] + (new if name is old[0] else "") + question[name.end :]
    return re.sub(r"\s+", " ", question)


def _adding(question: str, rest: str) -> str:
    """`question` with what is said of it put before its question mark; behind it what asks by itself."""
    if rest.endswith(("?", "？")):
        return f"{question} {rest}"
    comma, mark = ("，", "？") if HAN.search(question) else (", ", "?")
    return f"{question.rstrip(' ?？')}{comma}{rest}{mark}"


def _item(ordinal: re.Match[str], state: _State, names: Names, *, back: bool) -> str:
    """What an ordinal points at: an item of the last answer that lists some, or an earlier topic."""
    position = _position(ordinal)
    if back and state.earlier:
        return _pick([name.written for name in state.earlier], position) or ""
    for answer in state.answers:
        listed = _listed(answer, names)
        if len(listed) > 1 and (chosen := _pick(listed, position)):
            return chosen
    return ""


def _position(ordinal: re.Match[str]) -> int:
    return cues.ORDINALS[" ".join(next(group for group in ordinal.groups() if group).casefold().split())]


def _listed(answer: str, names: Names) -> list[str]:
    """What an answer lists: its bullets, the names in it, or its few words between commas."""
    bullets = re.findall(r"^\s*(?:[-*•]|\d+[.)])\s+(.+)$", answer, re.MULTILINE)
    if len(bullets) > 1:
        named = [(names.find(bullet), bullet) for bullet in bullets]
        return [found[0].written if found else re.split(r"[:：,，(（]", bullet)[0].strip() for found, bullet in named]
    listed = list({name.topics: name.written for name in reversed(names.find(answer))}.values())[::-1]
    if len(listed) > 1:
        return listed
    parts = [part.strip(" .。") for part in re.split(r"(?<!\d),|,(?!\d)| and |、|及|和|；|;", answer) if part.strip()]
    return parts if all(len(part.split()) <= 5 and len(part) <= 40 for part in parts) else []


def _pick(candidates: Sequence[T], position: int) -> T | None:
    return candidates[position] if -len(candidates) <= position < len(candidates) else None


def _with_titles(text: str, own: Sequence[Name], names: Names, lang: Lang) -> str:
    """`text` with the titles of the topics that its names mean, for abbreviations and names in the other language."""
    titles = [names.title(topic, lang) for name in own for topic in name.topics if len(name.topics) == 1]
    missing = [title for title in dict.fromkeys(titles) if fold(title) not in fold(text)]
    return " ".join([text, *missing[:2]])
