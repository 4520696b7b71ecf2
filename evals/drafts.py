"""From use to cases: answers that were marked wrong, as drafts which a person completes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from assistant.records import Answer
from assistant.transcripts import Message, Transcript
from corpus.text import SourceText

# What only a person can say; of an answerable case also the second.
NEEDED = ("kind", "split", "answerable")
NEEDED_TO_ANSWER = ("required", "right")


def drafts(disliked: Iterable[Transcript], texts: Mapping[str, SourceText]) -> list[dict[str, Any]]:
    """A draft for the last answer of each transcript: a case as `evals/README.md` describes it, but for what a person must say.

    `draft` holds what helps to say it: the answer, the reason given, and the labels of the statements cited, as far as `texts` still hold those.
    """
    found = []
    for transcript in disliked:
        *before, last = transcript.messages
        if last.answer is None:
            continue
        history = replace(transcript, messages=tuple(before)).turns
        found.append(
            {
                "id": f"draft-{last.id}",
                "kind": None,
                "lang": last.answer.language,
                "split": None,
                "question": last.question,
                "answerable": None,
                "history": [asdict(turn) for turn in history],
                "required": [],
                "forbidden": [],
                "right": [],
                "near": [],
                "draft": _help(last, last.answer, texts),
            }
        )
    return found


def unfinished(line: str) -> str:
    """What is to be done with a line of a set that is still a draft; empty for any other."""
    try:
        row = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(row, dict) or "draft" not in row:
        return ""
    needed = (*NEEDED, *(() if row.get("answerable") is False else NEEDED_TO_ANSWER))
    missing = ", ".join(f"`{name}`" for name in needed if row.get(name) in (None, "", []))
    open_yet = row.get("answerable") is None and not row.get("required") and not row.get("right")
    unless = " (the last two only if it is answerable)" if open_yet else ""
    return f"it is a draft: {f'fill in {missing}{unless}' if missing else 'look it through'}, then take `draft` out"


def _help(message: Message, answer: Answer, texts: Mapping[str, SourceText]) -> dict[str, Any]:
    cited: dict[str, None] = {}
    for citation in answer.citations:
        text = texts.get(citation.text_id)
        for statement in text.statements if text else ():
            if statement.text == citation.quote:
                cited.update(dict.fromkeys(statement.marks))
    return {"asked": message.asked.date().isoformat(), "reason": message.reason, "status": answer.status, "answer": answer.text, "cited": list(cited)}
