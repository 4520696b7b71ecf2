"""The writer that needs no model: an answer composed of exact statements, each with its number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

from assistant import cues
from assistant.evidence import overtaken
from assistant.records import Draft, Evidence, Question, Sentence, Verdict
from assistant.verify import ADDED, Verified, told
from corpus.figures import figures
from corpus.markdown import topic_id
from index.words import fold

# By kind of question: the most statements that are quoted, and how far below the best one (in log odds) they may score, where it asks one thing
# and where it asks several.
MOST = {"fact": 6, "figure": 6, "yes_no": 4, "list": 8, "timeline": 8, "compare": 8, "about": 6, "how_to": 8}
REACH = {"fact": 4.2, "figure": 4.2, "yes_no": 4.2, "list": 6.0, "timeline": 6.0, "compare": 6.0, "about": 4.0, "how_to": 6.0}
REACH_OF_SEVERAL = 5.0
# Kinds of questions that several statements answer together.
SEVERAL = ("list", "timeline", "compare", "how_to")
# How far below the best one (in log odds) a statement scores about as well: on 93% of the dev questions on which the first leads the second by more, the
# first answers.
ABOUT_AS_GOOD = 2.0

# Of a comparison: the statements on each thing, where there are so many, and by how many the longest column may exceed the shortest.
LEAST_ROWS, MORE_ROWS = 2, 2

# What stands over the statements of an answer that tells how to apply for something.
ROLES = {"en": ("Eligibility", "Amount", "Steps"), "zh": ("資格", "金額", "步驟")}

# What stands before a statement that a newer one of the same answer has overtaken.
EARLIER = {"en": "Earlier: ", "zh": "較早前："}

NOT_FOUND = {
    "en": "I could not find an answer to this in the public pages that I know.",
    "zh": "在我所知的公開資料中，找不到這個問題的答案。",
}
NOTHING_LEFT = {
    "en": "Nothing that I hold passes the filters that were set. Search with fewer of them.",
    "zh": "所設的篩選條件下沒有任何資料，請減少條件再試。",
}
NEAREST = {
    "en": "The nearest subjects that I know: {titles}.",
    "zh": "我知道的相近主題：{titles}。",
}


def write(question: Question, evidence: Sequence[Evidence]) -> Draft:
    """The answer, a sentence for each statement chosen."""
    chosen = choose(question, evidence)
    sides = _sides(question, chosen)
    if sides:
        beside = {item.number for side in sides.values() for item in side}
        leading = [(" ", item) for item in chosen if item.number not in beside]
        return _draft([*leading, *_table(sides)])
    if question.kind in ("list", "timeline") and len(chosen) > 2:
        return _draft([("\n- ", item) for item in chosen])
    if question.kind == "how_to":
        return _draft(_by_role(question, chosen))
    apart = question.kind == "compare"
    return _draft([("\n\n" if apart and item.text.id != chosen[max(0, at - 1)].text.id else " ", item) for at, item in enumerate(chosen)])


def complete(question: Question, verified: Verified, evidence: Sequence[Evidence]) -> Verified:
    """What stands of a model's draft, with quotations of what it may not leave out: before it what has overtaken a figure of its, and behind it what would be
    quoted, is not told, and scores about as well as the best; where several things are asked for and less than half of what would be quoted is told, all
    of that."""
    cited = {number for sentence in verified.sentences for number in sentence.cited}
    resting = [item for item in evidence if item.number in cited]
    passed = [item for item in evidence if item.number not in cited]
    late = overtaken(question, resting)
    before: list[Evidence] = []
    for one in resting:
        newer = [item for item in passed if one.number in overtaken(question, [one, item])]
        newest = max(newer, key=lambda item: item.statement.as_of, default=None)
        if newest and one.number not in late and newest not in before:
            before.append(newest)
    chosen, said, old = choose(question, evidence), told(verified, evidence), overtaken(question, evidence)
    if (question.kind in SEVERAL or question.parts) and 2 * len(said) < len(chosen):
        after = [item for item in chosen if item not in (*said, *before)]
    else:
        least = max(item.score for item in evidence) - ABOUT_AS_GOOD
        after = [item for item in chosen if item not in (*said, *before) and item.score >= least and item.number not in old]
    lead = "\n- " if len(after) > 2 or "- " in verified.sentences[-1].lead else " "
    added = [Verdict(item.statement.text, (item.number,), "supported", ADDED) for item in (*before, *after)]
    whole = (*(_quote(" ", item) for item in before), *verified.sentences, *(_quote(lead, item) for item in after))
    return Verified(say_earlier(question, whole, evidence), (*added[: len(before)], *verified.verdicts, *added[len(before) :]))


def say_earlier(question: Question, sentences: Sequence[Sentence], evidence: Sequence[Evidence]) -> tuple[Sentence, ...]:
    """The sentences, older figures called so: the first of each run of them, and each in a table."""
    cited = {number for sentence in sentences for number in sentence.cited}
    late = overtaken(question, [item for item in evidence if item.number in cited])
    said, before = [], False
    for sentence in sentences:
        old = bool(sentence.cited) and late.issuperset(sentence.cited)
        said.append(replace(sentence, lead=sentence.lead + EARLIER[question.lang]) if old and not (before and "|" not in sentence.lead) else sentence)
        before = old
    return tuple(said)


def not_found(question: Question, evidence: Sequence[Evidence], *, narrowed: bool = False) -> str:
    """A plain word that the answer is not known, and what is held nearby; or that filters (`narrowed`) leave nothing to search."""
    if narrowed and not evidence:
        return NOTHING_LEFT[question.lang]
    titles = list(dict.fromkeys(item.text.title for item in evidence))[:3]
    separator = "、" if question.lang == "zh" else "; "
    nearest = NEAREST[question.lang].format(titles=separator.join(titles)) if titles else ""
    return f"{NOT_FOUND[question.lang]} {nearest}".strip()


def unheard(question: Question, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """Of the things that a question compares, where something is held on another, those of which no text is and that no statement names."""
    said = [fold(item.statement.text) for item in evidence]
    none = [side for side in question.sides if not side.topics and not any(_holds(one, fold(name)) for one in said for name in side.names)]
    return tuple(side.names[0] for side in none) if len(none) < len(question.sides) else ()


def choose(question: Question, evidence: Sequence[Evidence]) -> list[Evidence]:
    """The statements to quote, in the order in which they read best."""
    if not evidence:
        return []
    most, reach = MOST[question.kind], max(REACH[question.kind], REACH_OF_SEVERAL if question.parts else 0.0)
    best = max(item.score for item in evidence)
    near = [item for item in evidence if item.score >= best - reach] or [evidence[0]]
    if len(near) == 1:
        near = list(evidence[:2])
    if question.sides:
        first = evidence[: len(question.parts)]
        near = [*first, *(item for item in _side_by_side(question, evidence, near) if item not in first)]
    chosen = near[:most]
    if question.kind == "timeline":
        return sorted(chosen, key=lambda item: item.statement.as_of)
    if question.kind in ("about", "list"):
        chosen = _as_in_text(chosen)
    late = overtaken(question, chosen)
    old = sorted((item for item in chosen if item.number in late), key=lambda item: item.statement.as_of, reverse=True)
    return [*(item for item in chosen if item.number not in late), *old]


def _draft(led: Iterable[tuple[str, Evidence]]) -> Draft:
    """A draft of the statements, each behind its lead."""
    sentences = [_quote(lead, item) for lead, item in led]
    return Draft((replace(sentences[0], lead=sentences[0].lead.lstrip(" \n")), *sentences[1:]) if sentences else (), "quotes")


def _quote(lead: str, item: Evidence) -> Sentence:
    return Sentence(lead, item.statement.text, (item.number,))


def _sides(question: Question, items: Sequence[Evidence]) -> dict[str, list[Evidence]]:
    """Of `items` those on each of the things compared, by its name; none unless there are two that a table can hold.

    A statement is on the one that it names, or if it names none on the one that its text is about; one that names several is on no side.
    """
    sides: dict[str, list[Evidence]] = {side.names[0]: [] for side in question.sides}
    names = {side: [fold(name) for name in side.names] for side in question.sides}
    for item in items if sides else ():
        said = fold(item.statement.text)
        named = [side for side in question.sides if any(_holds(said, name) for name in names[side])]
        of = named or [side for side in question.sides if topic_id(item.text) in side.topics]
        if len(of) == 1 and not {"|", "\n"} & set(item.statement.text):
            sides[of[0].names[0]].append(item)
    sides = {name: held for name, held in sides.items() if held}
    return sides if len(sides) > 1 else {}


def _holds(said: str, name: str) -> bool:
    """Whether a statement holds a name, both folded, as whole words."""
    return name in said and (not name.isascii() or bool(re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", said)))


def _table(sides: Mapping[str, Sequence[Evidence]]) -> Iterator[tuple[str, Evidence]]:
    """The statements of a Markdown table with a column for each side, each behind what stands before it there."""
    before = f"\n\n| {' | '.join(sides)} |\n|{' --- |' * len(sides)}\n| "
    for row in zip_longest(*sides.values()):
        for item in row:
            if item is not None:
                yield before, item
                before = ""
            before += " | "
        before = f"{before.rstrip(' ')}\n| "


def _side_by_side(question: Question, evidence: Sequence[Evidence], near: Sequence[Evidence]) -> list[Evidence]:
    """The first two that are on none or on several of the things compared, then those on each in turn.

    On each at least the best `LEAST_ROWS` that there are, further ones if they are near, and not many more than on the one that has fewest.
    """
    sides = _sides(question, evidence)
    if not sides:
        return list(near)
    beside = {item.number for held in sides.values() for item in held}
    within = {item.number for item in near}
    kept = [[item for at, item in enumerate(held) if at < LEAST_ROWS or item.number in within] for held in sides.values()]
    rows = min(map(len, kept)) + MORE_ROWS
    return [item for item in near if item.number not in beside][:2] + [item for row in list(zip_longest(*kept))[:rows] for item in row if item]


def _by_role(question: Question, chosen: Sequence[Evidence]) -> Iterator[tuple[str, Evidence]]:
    """The statements under what they tell of an application, each behind its lead; the others before them, all of them if few roles are told of."""
    roles = {item.number: _role(item.statement.text) for item in chosen}
    told = sorted({role for role in roles.values() if role is not None})
    if len(told) < 2:
        told, roles = [], {}
    yield from ((" ", item) for item in chosen if roles.get(item.number) is None)
    colon = "：" if question.lang == "zh" else ":"
    for role in told:
        lead = f"\n\n{ROLES[question.lang][role]}{colon}"
        for item in chosen:
            if roles[item.number] == role:
                yield f"{lead}\n- ", item
                lead = ""


def _role(statement: str) -> int | None:
    """What a statement tells of an application: for whom it is (0), how much there is (1), what is to be done (2), or none of these."""
    if cues.FOR_WHOM.search(statement):
        return 0
    if any(figure.unit == "HKD" for figure in figures(statement)):
        return 1
    return 2 if cues.TO_DO.search(statement) else None


def _as_in_text(chosen: list[Evidence]) -> list[Evidence]:
    """Statements of one text together and in its order, the text of the best statement first."""
    rank = {text_id: at for at, text_id in reversed(list(enumerate(item.text.id for item in chosen)))}
    return sorted(chosen, key=lambda item: (rank[item.text.id], item.statement.start))
