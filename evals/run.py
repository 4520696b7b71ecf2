"""Question sets run through the chain, and what came of it: each case scored, and the figures of all."""

from __future__ import annotations

import copy
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

from assistant.chain import Ask, Chain
from assistant.errors import HkaiError
from assistant.records import Answer, Citation
from corpus.readers import Unreadable, from_file
from evals.cases import NEVER_ANSWERABLE, Case, Kind
from evals.metrics import Abstention, abstention, bootstrap, correct, holds, missing, percentile, precision, wilson
from index.library import Library
from index.search import Filters

Progress = Callable[[int, int], None]
Mode = Literal["auto", "quotes", "model"]


@dataclass(frozen=True, slots=True)
class Result:
    """A case with what came of it.

    `right` is None where there is no telling: the chain failed, and `error` says how. `missing` are the required groups
    that the answer does not hold, `rank` is that of the first right statement in the evidence (0: none of them is).
    `cited` are the labels of each citation. `citation_precision` is the share of the citations that bear a right label;
    `citation_recall` the share of the required groups that the cited statements hold; `faithfulness` the share of the
    sentences written that `verify` passed; each None where the case has no such thing. `milliseconds` is the whole answer.
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

    @property
    def declined(self) -> bool:
        """Whether the answer is that there is none."""
        return self.answer is not None and self.answer.status == "not_found"


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of some cases: how many were right, out of how many that could be scored, with the 95% interval of the share.

    `found_1` and `found_5` are the shares of the cases with a right statement that have one first, or among the first
    five, of the evidence; `mrr` is the mean of its reciprocal rank. NaN where no case has a right statement.
    """

    name: str
    cases: int
    unscored: int
    right: int
    share: float
    low: float
    high: float
    found_1: float
    found_5: float
    mrr: float


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over cases, with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a run: by kind of question, by split and of all; times are in milliseconds."""

    kinds: tuple[Row, ...]
    splits: tuple[Row, ...]
    total: Row
    abstention: Abstention
    citation_precision: Mean
    citation_recall: Mean
    faithfulness: Mean
    p50: float
    p95: float
    made_by: dict[str, str]


def answers(chain: Chain, cases: Sequence[Case], *, mode: Mode = "quotes", progress: Progress = lambda done, total: None) -> list[Result]:
    """Asks every case and scores it, in order; an error of the chain marks its case, and the run goes on."""
    results = []
    with ExitStack() as stack:
        chains: dict[tuple[str, ...], Chain] = {(): chain}
        for done, case in enumerate(cases):
            progress(done, len(cases))
            try:
                if case.documents not in chains:
                    chains[case.documents] = _with_documents(chain, case.documents, Path(stack.enter_context(TemporaryDirectory())))
                results.append(_result(chains[case.documents], case, mode))
            except HkaiError as error:
                results.append(Result(case, None, None, error=f"{type(error).__name__}: {error.message}"))
        progress(len(cases), len(cases))
    return results


def _with_documents(chain: Chain, documents: Sequence[str], folder: Path) -> Chain:
    """The chain over a copy, in `folder`, of its library, to which the documents are added."""
    if not (chain.library.folder / "chroma").is_dir():
        raise HkaiError("Documents are added to a copy of the index, which cannot be made of one on a Chroma server.")
    try:
        read = [from_file(Path(document)) for document in documents]
    except Unreadable as error:
        raise HkaiError(f"A document of the case cannot be read: {error}.") from error
    shutil.copytree(chain.library.folder, folder / "library")
    library = Library(folder / "library", chain.library.embedder)
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
    cited = tuple(_labels(chain, citation.text_id, citation.start) for citation in answer.citations)
    result = Result(case, answer, _right(case, answer), cited=cited, milliseconds=taken)
    if answer.verdicts:
        result = replace(result, faithfulness=sum(verdict.verdict == "supported" for verdict in answer.verdicts) / len(answer.verdicts))
    if case.answerable:
        said = "\n".join(citation.quote for citation in answer.citations)
        result = replace(
            result,
            missing=tuple(map(tuple, missing(answer.text, case.required))),
            citation_recall=1 - len(missing(said, case.required)) / len(case.required),
        )
    if case.right:
        seen: Sequence[Citation] = events.get("evidence", ())
        shown = [_labels(chain, one.text_id, one.start) for one in seen] or [item.statement.marks for item in chain.find(ask).evidence]
        result = replace(result, rank=next((at for at, labels in enumerate(shown, 1) if set(labels) & set(case.right)), 0))
        if answer.citations:
            numbers = {str(at): set(one) for at, one in enumerate(cited)}
            rightly = {at for at, one in numbers.items() if one & set(case.right)}
            result = replace(result, citation_precision=precision(numbers, rightly))
    return result


def _right(case: Case, answer: Answer) -> bool:
    """Answerable: the answer holds what it must. Not answerable: it was declined, or, of an injection, not obeyed."""
    if case.answerable:
        return answer.status != "not_found" and correct(answer.text, case.required, case.forbidden)
    if case.kind in NEVER_ANSWERABLE:
        return answer.status == "not_found"
    return not any(holds(answer.text, string) for string in case.forbidden)


def _labels(chain: Chain, text_id: str, start: int) -> tuple[str, ...]:
    """The labels of the statement that begins there."""
    return next((statement.marks for statement in chain.library.texts[text_id].statements if statement.start == start), ())


def summary(results: Sequence[Result]) -> Summary:
    """The figures of a run."""
    kinds = [kind for kind in get_args(Kind) if any(result.case.kind == kind for result in results)]
    asked = [result for result in results if result.answer]
    told = [result for result in asked if result.case.kind != "injection"]
    times = [result.milliseconds for result in asked]
    makers = {json.dumps(asdict(result.answer.made_by)) for result in asked if result.answer}
    return Summary(
        kinds=tuple(_row(kind, [result for result in results if result.case.kind == kind]) for kind in kinds),
        splits=tuple(_row(split, [result for result in results if result.case.split == split]) for split in ("dev", "test")),
        total=_row("all", results),
        abstention=abstention([result.declined for result in told], [result.case.answerable for result in told]),
        citation_precision=_mean([result.citation_precision for result in results]),
        citation_recall=_mean([result.citation_recall for result in results]),
        faithfulness=_mean([result.faithfulness for result in results]),
        p50=percentile(times, 0.5),
        p95=percentile(times, 0.95),
        made_by=json.loads(max(makers, default="{}")),
    )


def _row(name: str, results: Sequence[Result]) -> Row:
    scored = [result.right for result in results if result.right is not None]
    ranks = [result.rank for result in results if result.rank is not None]
    low, high = wilson(sum(scored), len(scored))
    return Row(
        name=name,
        cases=len(results),
        unscored=len(results) - len(scored),
        right=sum(scored),
        share=_average(scored),
        low=low,
        high=high,
        found_1=_average([rank == 1 for rank in ranks]),
        found_5=_average([0 < rank <= 5 for rank in ranks]),
        mrr=_average([1 / rank if rank else 0.0 for rank in ranks]),
    )


def _mean(values: Sequence[float | None]) -> Mean:
    known = [value for value in values if value is not None]
    return Mean(_average(known), *bootstrap(known)) if known else Mean(math.nan, math.nan, math.nan)


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def write(results: Sequence[Result], folder: Path) -> None:
    """Writes `results.jsonl`, a line a case, and `summary.json` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(line, ensure_ascii=False) for line in _lines(results))
    (folder / "results.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    figures = json.dumps(_without_nan(asdict(summary(results))), ensure_ascii=False, indent=2)
    (folder / "summary.json").write_text(f"{figures}\n", encoding="utf-8")


def _lines(results: Sequence[Result]) -> Iterator[dict[str, object]]:
    for result in results:
        yield asdict(result)


def _without_nan(value: object) -> object:
    """`value` as JSON can hold it: null where there is no number."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
