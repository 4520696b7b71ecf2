"""The writer that needs no model: an answer composed of exact statements, each with its number."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.records import Draft, Evidence, Question, Sentence
from corpus.markdown import topic_id

# By kind of question: the most statements that are quoted, and how far below the best one (in log odds) they may score.
MOST = {"fact": 6, "figure": 6, "list": 8, "compare": 8, "about": 6}
REACH = {"fact": 6.0, "figure": 6.0, "list": 6.0, "compare": 6.0, "about": 4.0}

NOT_FOUND = {
    "en": "I could not find an answer to this in the public pages that I know.",
    "zh": "在我所知的公開資料中，找不到這個問題的答案。",
}
NEAREST = {
    "en": "The nearest subjects that I know: {titles}.",
    "zh": "我知道的相近主題：{titles}。",
}


def write(question: Question, evidence: Sequence[Evidence]) -> Draft:
    """The answer, a sentence for each statement chosen."""
    chosen = choose(question, evidence)
    bullets = question.kind == "list" and len(chosen) > 2
    sentences = []
    for at, item in enumerate(chosen):
        if bullets:
            lead = "- " if at == 0 else "\n- "
        else:
            apart = question.kind == "compare" and at > 0 and item.text.id != chosen[at - 1].text.id
            lead = "" if at == 0 else "\n\n" if apart else " "
        sentences.append(Sentence(lead, item.statement.text, (item.number,)))
    return Draft(tuple(sentences), "quotes")


def not_found(question: Question, evidence: Sequence[Evidence]) -> str:
    """A plain word that the answer is not known, and what is held nearby."""
    titles = list(dict.fromkeys(item.text.title for item in evidence))[:3]
    separator = "、" if question.lang == "zh" else "; "
    nearest = NEAREST[question.lang].format(titles=separator.join(titles)) if titles else ""
    return f"{NOT_FOUND[question.lang]} {nearest}".strip()


def choose(question: Question, evidence: Sequence[Evidence]) -> list[Evidence]:
    """The statements to quote, in the order in which they read best."""
    if not evidence:
        return []
    most, reach = MOST[question.kind], max(item.score for item in evidence) - REACH[question.kind]
    near = [item for item in evidence if item.score >= reach] or [evidence[0]]
    if len(near) == 1:
        near = list(evidence[:2])
    if question.kind == "compare" and len(question.names) > 1:
        near = list(dict.fromkeys([*evidence[: len(question.parts)], *_side_by_side(question, evidence, near, most)]))
    chosen = near[:most]
    if question.kind in ("about", "list"):
        return _as_in_text(chosen)
    return chosen


def _side_by_side(question: Question, evidence: Sequence[Evidence], near: list[Evidence], most: int) -> list[Evidence]:
    """As many statements on each of the things compared, those that speak of several first."""
    sides: dict[str, list[Evidence]] = {name: [] for name in question.names[:3]}
    for item in evidence:
        topic = topic_id(item.text)
        if topic in sides:
            sides[topic].append(item)
    both = [item for item in near if topic_id(item.text) not in sides][:2]
    each = max(1, (most - len(both)) // max(1, len(sides)))
    return both + [item for side in sides.values() for item in side[:each]]


def _as_in_text(chosen: list[Evidence]) -> list[Evidence]:
    """Statements of one text together and in its order, the text of the best statement first."""
    rank = {text_id: at for at, text_id in reversed(list(enumerate(item.text.id for item in chosen)))}
    return sorted(chosen, key=lambda item: (rank[item.text.id], item.statement.start))
