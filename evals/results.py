"""The folder of a run: what made it, what came of every case, and its figures; a run that was killed goes on there.

run.json        what made the run; a run goes on only in a folder of one made alike
results.jsonl   a case a line: the case, the answer with its citations, verdicts and timings, and its scores
summary.json    the figures, once every case was asked
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from assistant.chain import Chain
from evals.cases import Case, field
from evals.run import Mode, Result
from evals.summary import Summary, summary

RUN, RESULTS, SUMMARY = "run.json", "results.jsonl", "summary.json"

_ROOT = Path(__file__).parent.parent
# The code that gives an answer and its score: a run does not go on under other code.
_CODE = (
    "corpus/*.py",
    "index/*.py",
    "assistant/*.py",
    "assistant/*.toml",
    "assistant/*.txt",
    "evals/run.py",
    "evals/cases.py",
    "evals/metrics.py",
    "evals/opinion.py",
)
_RESULT = TypeAdapter(Result)
_MARK = re.compile(r"\s*\[\d+\]")


@dataclass(frozen=True, slots=True)
class MadeBy:
    """What made a run. `settings`, `code` and `cases` are fingerprints: of the settings that can change an answer, of the code that gives and
    scores it, and of the cases with the documents that they add; `total` is the number of cases. No model is "".
    """

    mode: Mode
    model: str
    embedder: str
    judge: str
    index: str
    settings: str
    judge_model: str
    code: str
    cases: str
    total: int


@dataclass(frozen=True, slots=True)
class Run:
    """A run that was kept: what made it and the results that there are, in the order of the file."""

    folder: Path
    made_by: MadeBy
    results: tuple[Result, ...]


def made_by(chain: Chain, cases: Sequence[Case], *, mode: Mode, settings: str, judge_model: str = "") -> MadeBy:
    """What makes a run of `cases` through `chain`; `settings` is the fingerprint of the settings that it was put together from."""
    documents = sorted({document for case in cases for document in case.documents})
    return MadeBy(
        mode=mode,
        model=chain.writer.name if chain.writer and mode != "quotes" else "",
        embedder=chain.library.embedder.name,
        judge=chain.judges,
        index=chain.library.version,
        settings=settings,
        judge_model=judge_model,
        code=_digest([path.read_bytes() for pattern in _CODE for path in sorted(_ROOT.glob(pattern))]),
        cases=_digest([*(repr(same(case)).encode() for case in cases), *(Path(document).read_bytes() for document in documents)]),
        total=len(cases),
    )


def same(case: Case) -> tuple[object, ...]:
    """What makes two cases the same one, wherever its set lies."""
    given = asdict(case) | {"documents": [Path(document).name for document in case.documents]}
    return tuple(given.items())


class Kept:
    """An open folder of a run; `done` are the cases with a result from before, by id. One that failed is not among them: it is asked again."""

    def __init__(self, folder: Path, done: dict[str, Result]) -> None:
        self.done = done
        self._folder = folder

    def add(self, result: Result) -> None:
        """Writes a result; once this returns it outlives the process."""
        with (self._folder / RESULTS).open("a", encoding="utf-8") as file:
            file.write(_line(result))

    def finish(self, results: Sequence[Result]) -> Summary:
        """Writes the results of all cases in order, and their figures."""
        _replace(self._folder / RESULTS, "".join(map(_line, results)))
        figures = summary(results)
        _replace(self._folder / SUMMARY, json.dumps(without_nan(asdict(figures)), ensure_ascii=False, indent=2) + "\n")
        return figures


@contextmanager
def kept(folder: Path, made: MadeBy) -> Iterator[Kept]:
    """Opens `folder` for a run made by `made`: a new one, or one that was begun there.

    Raises `ValueError`, and changes nothing, if it holds a run made otherwise, something else, or is in use by another process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / RUN).exists() and (folder / RESULTS).exists():
        raise ValueError(f"{folder} holds {RESULTS} without {RUN}, so that there is no telling what made it: give another folder, or remove it")
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield Kept(folder, _begun(folder, made))
    except Timeout as error:
        raise ValueError(f"another run is writing into {folder}: wait for it, or give another folder") from error


def _begun(folder: Path, made: MadeBy) -> dict[str, Result]:
    if not (folder / RUN).exists():
        _replace(folder / RUN, json.dumps(asdict(made), ensure_ascii=False, indent=2) + "\n")
        return {}
    found = read(folder)
    others = [one.name for one in fields(MadeBy) if getattr(found.made_by, one.name) != getattr(made, one.name)]
    if others:
        differences = ", ".join(f"{name} {getattr(found.made_by, name) or 'none'!r}, now {getattr(made, name) or 'none'!r}" for name in others)
        raise ValueError(f"{folder} holds a run that was made otherwise ({differences}): give another folder, or remove it")
    # What a killed process had half written is cut off, so that the next line begins one.
    _replace(folder / RESULTS, "".join(map(_line, found.results)))
    return {result.case.id: result for result in found.results if not result.failed}


def read(folder: Path) -> Run:
    """The run in `folder`, also one that is not finished; of a case asked again the last result. Raises `ValueError` naming `file:line`."""
    try:
        made = TypeAdapter(MadeBy).validate_json((folder / RUN).read_bytes())
    except OSError as error:
        raise ValueError(f"{folder} holds no run ({RUN}: {error.strerror}); `hkai eval answers SET --out {folder}` makes one") from error
    except ValidationError as error:
        raise ValueError(f"{folder / RUN}: {field(error.errors()[0]['loc'])}{error.errors()[0]['msg']}") from error
    file = folder / RESULTS
    results: dict[str, Result] = {}
    # What comes after the last line break was half written when a process was killed.
    for number, line in enumerate(file.read_bytes().split(b"\n")[:-1] if file.exists() else [], 1):
        try:
            result = _RESULT.validate_json(line)
        except ValidationError as error:
            raise ValueError(f"{file}:{number}: {field(error.errors()[0]['loc'])}{error.errors()[0]['msg']}") from error
        results[result.case.id] = result
    return Run(folder, made, tuple(results.values()))


def ragas_samples(results: Sequence[Result]) -> list[dict[str, object]]:
    """The answers that cite, to questions that have one, as the single-turn samples that ragas reads.

    Its `user_input` is the question on its own, `response` the answer without its marks, `retrieved_contexts` the statements cited, and `reference`
    the first alternative of all that the case requires.
    """
    return [
        {
            "user_input": result.answer.standalone,
            "response": _MARK.sub("", result.answer.text),
            "retrieved_contexts": [citation.quote for citation in result.answer.citations],
            "reference": "; ".join(group[0] for group in result.case.required),
        }
        for result in results
        if result.answer and result.answer.citations and result.case.required
    ]


def without_nan(value: object) -> object:
    """`value` as JSON can hold it: null where there is no number."""
    if isinstance(value, dict):
        return {key: without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _line(result: Result) -> str:
    return json.dumps(asdict(result), ensure_ascii=False) + "\n"


def _replace(file: Path, text: str) -> None:
    """Writes `file` in one step: whoever reads it, or is killed, finds the old or the new."""
    new = file.with_name(file.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def _digest(parts: Sequence[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:12]
