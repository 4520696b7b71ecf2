"""Question sets: what is asked, and what a right answer must hold. The format is described in `evals/README.md`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from assistant.records import Turn
from corpus.text import Lang
from evals.drafts import unfinished

SETS = Path(__file__).parent / "sets"

Kind = Literal["single", "list", "compare", "temporal", "followup", "chinese", "colloquial", "near_miss", "offtopic", "injection", "own_documents"]
Split = Literal["dev", "test"]

NEVER_ANSWERABLE = ("near_miss", "offtopic")


@dataclass(frozen=True, slots=True)
class Case:
    """A question and what makes an answer right: one string of every group of `required`, and none of `forbidden`.

    `right` are labels of footnotes (`Statement.marks`): a statement that carries any of them answers the question, or
    belongs to the answer. `near` are those of the statements that an unanswerable question sounds like. `documents` are
    files that the user has added; in the set their paths are relative to it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: str
    kind: Kind
    lang: Lang
    split: Split
    question: str
    answerable: bool
    history: tuple[Turn, ...] = ()
    required: tuple[tuple[str, ...], ...] = ()
    forbidden: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()


def load(path: Path, labels: Collection[str] | None = None) -> tuple[Case, ...]:
    """The cases of one set; see `load_all`."""
    return load_all([path], labels)


def load_all(files: Sequence[Path], labels: Collection[str] | None = None) -> tuple[Case, ...]:
    """The cases of several sets, in order; `labels` are those that the texts carry, where the cases' own are to be checked.

    Raises `ValueError` that names every fault of every file as `file:line: what`.
    """
    adapter = TypeAdapter(Case)
    cases: list[Case] = []
    faults: list[str] = []
    first: dict[str, str] = {}
    for file in files:
        for number, line in lines(file, faults):
            place = f"{file}:{number}"
            if todo := unfinished(line):
                faults.append(f"{place}: {todo}")
                continue
            try:
                case = adapter.validate_json(line)
            except ValidationError as error:
                faults += [f"{place}: {field(fault['loc'])}{fault['msg']}" for fault in error.errors()]
                continue
            if case.id in first:
                faults.append(f"{place}: the id {case.id!r} is already that of {first[case.id]}")
            first.setdefault(case.id, place)
            faults += [f"{place}: {what}" for what in _faults(case, file.parent, labels)]
            cases.append(replace(case, documents=tuple(str(file.parent / document) for document in case.documents)))
    if faults:
        raise ValueError("\n".join(faults))
    return tuple(cases)


def lines(file: Path, faults: list[str]) -> Iterator[tuple[int, str]]:
    """Number and text of each line that is not blank; a file that cannot be read, or holds none, is a fault."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{file}:0: it cannot be read ({error})")
        return
    if not any(line.strip() for line in lines):
        faults.append(f"{file}:0: it holds no case")
    yield from ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def field(place: tuple[int | str, ...]) -> str:
    """Where in a record a fault is, as it is written before what is wrong."""
    return ".".join(map(str, place)) + ": " if place else ""


def _faults(case: Case, folder: Path, labels: Collection[str] | None) -> Iterator[str]:
    """What is wrong with a case whose fields have the right types."""
    if not case.id.strip() or not case.question.strip():
        yield "`id` and `question` may not be empty"
    if any(not group or not all(alternative.strip() for alternative in group) for group in case.required):
        yield "`required` has an empty group or an empty alternative"
    if not all(forbidden.strip() for forbidden in case.forbidden):
        yield "`forbidden` has an empty string"
    if case.answerable and case.kind in NEVER_ANSWERABLE:
        yield f"a case of the kind {case.kind} is not answerable"
    if not case.answerable and case.kind not in (*NEVER_ANSWERABLE, "injection"):
        yield f"a case of the kind {case.kind} is answerable"
    if case.answerable and not case.required:
        yield "`required` is empty, so that no answer could be told right from wrong"
    if case.answerable and not case.right and not case.documents:
        yield "`right` is empty: name the statements that answer it"
    if not case.answerable and (case.required or case.right):
        yield "`required` and `right` are of answerable cases; what an unanswerable one sounds like is `near`"
    if case.kind == "followup" and not case.history:
        yield "`history` is empty in a follow-up"
    if (case.kind == "own_documents") != bool(case.documents):
        yield "`documents` are what makes a case one of the kind own_documents"
    for document in case.documents:
        if not (folder / document).is_file():
            yield f"there is no document {document}"
    for label in (*case.right, *case.near):
        if labels is not None and label not in labels:
            yield f"no text carries the label {label!r}"
