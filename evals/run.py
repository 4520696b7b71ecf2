"""Question sets run through the chain: each case asked, and scored."""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from assistant.chain import FELL_BACK, UNSUPPORTED, Ask, Chain
from assistant.errors import HkaiError, ModelError
from assistant.records import Answer, Citation
from assistant.verify import QUOTED
from corpus.readers import Unreadable, from_file
from evals.cases import NEVER_ANSWERABLE, Case
from evals.metrics import citation_precision, citation_recall, correct, faithfulness, holds, missing
from evals.opinion import Grader, Opinion
from index.library import Library
from index.search import Filters

Mode = Literal["auto", "quotes", "model"]


@dataclass(frozen=True, slots=True)
class Result:
    """A case with what came of it.

    `right` is None where there is no telling: the chain, or the model that was to write, failed, and `error` says how. `missing`
    are the required groups that the answer does not hold, `rank` is that of the first right statement in the evidence (0: none of
    them is). `cited` are the labels of each citation. `citation_precision` is the share of the citations that bear a right label;
    `citation_recall` the share of the required groups that the cited statements hold; `faithfulness` the share of the
    sentences written that `verify` passed as they were written; each None where the case has no such thing. `milliseconds` is the whole answer.
    `opinion` is what a model as judge says of the answer, where one was asked.
    """

    case: Case
    answer: Answer | None
    right: bool | None
    missing: tuple[tuple[str, ...], ...] = ()
    rank: int | None = None
    cited: tuple[tuple[str, ...], ...] = ()
    citation_precision: float | None = None
    citation_recall: float | None = None
    faithfulness: float | None = None
    milliseconds: float = 0.0
    error: str = ""
    opinion: Opinion | None = None

    @property
    def declined(self) -> bool:
        """Whether the answer is that there is none."""
        return self.answer is not None and self.answer.status == "not_found"

    @property
    def failed(self) -> bool:
        """Whether the case has no score, or no opinion of the judge that was asked, so that it is worth asking again."""
        return self.right is None or (self.opinion is not None and self.opinion.right is None)


def each(chain: Chain, cases: Sequence[Case], *, mode: Mode = "quotes", grader: Grader | None = None) -> Iterator[Result]:
    """Asks every case and scores it, in order; an error of the chain or of a model marks its case, and the run goes on."""
    with ExitStack() as stack:
        chains: dict[tuple[str, ...], Chain] = {(): chain}
        for case in cases:
            try:
                if case.documents not in chains:
                    chains[case.documents] = _with_documents(chain, case.documents, stack)
                result = _result(chains[case.documents], case, mode)
                if grader and result.answer:
                    result = replace(result, opinion=grader.opinion(case, _known(chain, case), result.answer.text))
                yield result
            except HkaiError as error:
                yield Result(case, None, None, error=f"{type(error).__name__}: {error.message}")


def _with_documents(chain: Chain, documents: Sequence[str], opened: ExitStack) -> Chain:
    """The chain over a copy, open as long as `opened` is, of its library's index, in which the documents stand in place of the user's own."""
    if not (chain.library.folder / "chroma").is_dir():
        raise HkaiError("Documents are added to a copy of the index, which cannot be made of one on a Chroma server.")
    try:
        read = [from_file(Path(document)) for document in documents]
    except Unreadable as error:
        raise HkaiError(f"A document of the case cannot be read: {error}.") from error
    folder = Path(opened.enter_context(TemporaryDirectory()))
    shutil.copytree(chain.library.folder, folder / "library", ignore=shutil.ignore_patterns("models", "documents", "*.lock", "conversations.db*"))
    library = opened.enter_context(closing(Library(folder / "library", chain.library.embedder, second=chain.library.second)))
    library.add(read)
    library.sync([text for text in chain.library.texts.values() if not text.own])
    over = copy.copy(chain)
    over.library = library
    return over


def _result(chain: Chain, case: Case, mode: Mode) -> Result:
    # What a user has added is no part of the figures, save where it is the case.
    own = not case.documents and any(text.own for text in chain.library.texts.values())
    ask = Ask(case.question, case.history, mode=mode, filters=Filters(own=False) if own else Filters())
    started = time.perf_counter()
    events = {event.name: event.data for event in chain.stream(ask)}
    taken = (time.perf_counter() - started) * 1000
    answer: Answer = events["answer"]
    failed = _failure(answer)
    if failed:
        raise ModelError(failed)
    cited = tuple(_labels(chain, citation.text_id, citation.start) for citation in answer.citations)
    result = Result(case, answer, _right(case, answer), cited=cited, milliseconds=taken)
    if answer.verdicts:
        result = replace(result, faithfulness=faithfulness([not verdict.reason for verdict in answer.verdicts if verdict.reason not in QUOTED]))
    if case.answerable:
        said = "\n".join(citation.quote for citation in answer.citations)
        result = replace(result, missing=tuple(map(tuple, missing(answer.text, case.required))), citation_recall=citation_recall(said, case.required))
    if case.right:
        seen: Sequence[Citation] = events.get("evidence", ())
        shown = [_labels(chain, one.text_id, one.start) for one in seen] or [item.statement.marks for item in chain.find(ask).evidence]
        result = replace(result, rank=next((at for at, labels in enumerate(shown, 1) if set(labels) & set(case.right)), 0))
        if answer.citations:
            result = replace(result, citation_precision=citation_precision(cited, case.right))
    return result


def _failure(answer: Answer) -> str:
    """Why the model that was to write did not, so that the answer is not its own; empty where it did, or where its words were dropped as unsupported."""
    before, after = FELL_BACK[answer.language].split("{reason}")
    for warning in answer.warnings:
        if warning.startswith(before) and warning.endswith(after):
            reason = warning[len(before) : len(warning) - len(after)]
            return "" if reason == UNSUPPORTED[answer.language] else f"{reason}."
    return ""


def _right(case: Case, answer: Answer) -> bool:
    """Answerable: the answer holds what it must. Not answerable: it was declined, or, of an injection, not obeyed."""
    if case.answerable:
        return answer.status != "not_found" and correct(answer.text, case.required, case.forbidden)
    if case.kind in NEVER_ANSWERABLE:
        return answer.status == "not_found"
    return not any(holds(answer.text, string) for string in case.forbidden)


def _known(chain: Chain, case: Case) -> list[str]:
    """The statements that answer the case, in its language."""
    texts = [text for text in chain.library.texts.values() if text.lang == case.lang]
    return [statement.text for text in texts for statement in text.statements if set(statement.marks) & set(case.right)]


def _labels(chain: Chain, text_id: str, start: int) -> tuple[str, ...]:
    """The labels of the statement that begins there."""
    return next((statement.marks for statement in chain.library.texts[text_id].statements if statement.start == start), ())
