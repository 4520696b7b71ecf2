"""The one place that puts parts together from settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from assistant.chain import Chain
from assistant.conversations import Conversations
from assistant.errors import ModelError, NotReady
from assistant.evidence import load_weights
from assistant.local import LocalModel
from assistant.model import ModelWriter
from assistant.records import Answer
from assistant.settings import Settings
from assistant.transcripts import without
from corpus.markdown import load
from corpus.text import OWN, SourceText
from index.embedder import MINILM, Embedder, EmbedderError
from index.judge import Entailment, Judge, JudgeError, Reranker
from index.library import Changes, Library, LibraryError
from index.meaning import MeaningError


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that is put together: the corpus as it is on disk, the library over it, the chain over that, and the conversations kept."""

    settings: Settings
    corpus: tuple[SourceText, ...]
    library: Library
    chain: Chain
    conversations: Conversations


def build(settings: Settings) -> Parts:
    """The parts, nothing loaded, indexed or opened yet; raises `NotReady`."""
    try:
        corpus = load()
        second = Embedder(MINILM) if settings.embedder != MINILM else None
        library = Library(settings.data, Embedder(settings.embedder, cache=settings.data / "models"), second=second, chroma=settings.chroma)
    except (ValueError, LibraryError, MeaningError) as error:
        raise NotReady(str(error)) from error
    judge, weights = Judge(), load_weights(settings.embedder)
    chain = Chain(
        library,
        weights,
        judge=judge if settings.judge == "on" and judge.present and weights.statement_judged else None,
        reranker=Reranker(settings.reranker) if settings.reranker else None,
        entailment=Entailment(settings.nli) if settings.nli else None,
        writer=_writer(settings),
        settings=settings.fingerprint,
    )
    return Parts(settings, corpus, library, chain, Conversations(settings.database or settings.data / "conversations.db"))


def open_index(parts: Parts) -> None:
    """Loads the index for asking; raises `NotReady`, naming the command, if it is missing or stale."""
    _as_not_ready(lambda: parts.library.open(parts.corpus))
    load_models(parts)


def load_models(parts: Parts) -> None:
    """Loads the embedder, the judge, other cross-encoders and a local language model, as far as there are any; raises `NotReady`, naming the remedy."""
    _as_not_ready(parts.library.embedder.load)
    if parts.library.second and any(parts.library.twice(identifier) for identifier in parts.library.texts):
        _as_not_ready(parts.library.second.load)
    for model in (parts.chain.judge, parts.chain.reranker, parts.chain.entailment):
        if model:
            _as_not_ready(model.load)
    if parts.settings.model_file and parts.chain.writer:
        _as_not_ready(parts.chain.writer.load)


def sync_index(parts: Parts, progress: Callable[[int, int], None]) -> Changes:
    """Brings the index up to date with the texts and the own documents, and strikes those removed or replaced out of kept answers; raises `NotReady`."""
    return _as_not_ready(lambda: parts.library.sync(parts.corpus, progress, parts.conversations.forget))


def add_documents(parts: Parts, documents: Sequence[SourceText], progress: Callable[[int, int], None]) -> Changes:
    """Keeps and indexes documents of the user's own; raises `NotReady`."""
    parts.library.add(documents)
    return sync_index(parts, progress)


def keep_answer(parts: Parts, owner: str, message: str, answer: Answer) -> Answer:
    """Keeps the answer to a question and gives it without what it says from documents that were deleted or replaced while it was written."""
    parts.conversations.complete(owner, message, answer)
    cited = {citation.text_id for citation in answer.citations if citation.text_id.startswith(OWN)}
    # Looked up once it is kept: what is deleted after that is struck out by `sync_index`.
    held = {text.id: text.sha256 for text in parts.library.own()} if cited else {}
    for identifier in sorted(cited):
        present = held.get(identifier, "")
        left = without(answer, identifier, present)
        if left != answer:
            parts.conversations.forget(identifier, present)
            answer = left
    return answer


T = TypeVar("T")


def _as_not_ready(call: Callable[[], T]) -> T:
    try:
        return call()
    except (LibraryError, EmbedderError, JudgeError, MeaningError) as error:
        raise NotReady(str(error)) from error
    except ModelError as error:
        raise NotReady(error.message, error.remedy) from error


def _writer(settings: Settings) -> ModelWriter | None:
    if not settings.writes:
        return None
    local = LocalModel(settings.model_file) if settings.model_file else None
    return ModelWriter(
        local.path.name if local else settings.model,
        base_url=settings.openai_base_url,
        api_key=settings.openai_api_key,
        timeout=settings.model_timeout,
        total=settings.model_total,
        budget=settings.model_budget,
        temperature=settings.model_temperature,
        local=local,
    )
