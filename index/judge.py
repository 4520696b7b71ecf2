"""How well a statement answers a question: a small cross-encoder, trained by `evals/judge.py`, its weights in `judge_weights/`; and others by name."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from tokenizers import Tokenizer

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

WEIGHTS = Path(__file__).parent / "judge_weights"
CHECKSUMS = "checksums.json"
# The layers in int8, the weights in half precision, of which the vectors of the words stand before the layers, and the tokenizer.
INT8, FLOAT, TOKENIZER = "layers.int8.onnx", "model.safetensors", "tokenizer.json"
WORDS = "bert.embeddings.word_embeddings.weight"
# Pieces of question and statement together, and characters of each; what is longer is cut, so that time and memory are bounded.
LONGEST = 192
CHARACTERS = 1_000
_REMEDY = "Run `git checkout index/judge_weights`, or set HKAI_JUDGE=off."


class JudgeError(Exception):
    """The judge, or another cross-encoder, cannot be used; the message says why and what mends it."""


class _CrossEncoder(ABC):
    """A cross-encoder by its name on a model hub or its folder, loaded when it is first used or by `load`, once.

    `setting` is what names it and `kind` what it must be, in the words of an error.
    """

    setting = ""
    kind = ""

    def __init__(self, name: str) -> None:
        self.name = name
        self._model: CrossEncoder | None = None
        self._loading = threading.Lock()
        self._scoring = threading.Lock()

    def load(self) -> CrossEncoder:
        """The model, read the first time; raises `JudgeError`."""
        with self._loading:
            if self._model is None:
                self._model = self._read()
            return self._model

    def _logits(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        model = self.load()
        with self._scoring:
            return np.asarray(model.predict(_cut(pairs), batch_size=64, show_progress_bar=False), dtype=np.float32)

    def _read(self) -> CrossEncoder:
        import torch
        from sentence_transformers import CrossEncoder

        remedy = f"Set {self.setting} to {self.kind}: its folder, or its name if the model hub can be reached."
        try:
            model: CrossEncoder = CrossEncoder(self.name, max_length=LONGEST, activation_fn=torch.nn.Identity(), model_kwargs={"dtype": torch.float32})
        except (OSError, ValueError) as error:
            raise JudgeError(f"{self.name} cannot be loaded as a cross-encoder ({_said(error)}). {remedy}") from error
        trained = any("SequenceClassification" in name for name in getattr(model.config, "architectures", None) or ())
        if not trained or not self._fits(model):
            raise JudgeError(f"{self.name} is not {self.kind}. {remedy}")
        return model

    @abstractmethod
    def _fits(self, model: CrossEncoder) -> bool:
        """Whether a model that was loaded is of the kind."""


class Reranker(_CrossEncoder):
    """Any cross-encoder with one score, how well a statement answers a question."""

    setting = "HKAI_RERANKER"
    kind = "a cross-encoder with one score"

    def scores(self, question: str, statements: Sequence[str]) -> NDArray[np.float32]:
        """For each statement how well it answers the question, as log odds where the model gives such, shape (statements,); raises `JudgeError`."""
        return self._logits([(question, statement) for statement in statements]) if statements else np.zeros(0, dtype=np.float32)

    def _fits(self, model: CrossEncoder) -> bool:
        return int(model.num_labels) == 1


class Entailment(_CrossEncoder):
    """Any cross-encoder for natural language inference: whether what is said follows from a source, contradicts it, or neither."""

    setting = "HKAI_NLI"
    kind = "a cross-encoder that tells entailment from contradiction"

    def contradicts(self, sources: Sequence[str], sentence: str) -> bool:
        """Whether the sentence contradicts one of its sources and follows from none; raises `JudgeError`."""
        labels = _labels(self.load())
        told = {labels[int(at)] for at in self._logits([(source, sentence) for source in sources]).argmax(axis=1)}
        return "contradiction" in told and "entailment" not in told

    def _fits(self, model: CrossEncoder) -> bool:
        return {"entailment", "contradiction"} <= set(_labels(model).values())


def _labels(model: CrossEncoder) -> dict[int, str]:
    named: dict[int, str] = getattr(model.config, "id2label", None) or {}
    return {int(at): label.lower() for at, label in named.items()}


def _cut(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(one[:CHARACTERS], other[:CHARACTERS]) for one, other in pairs]


class Judge:
    """The cross-encoder that comes with the project, computed in int8 by ONNX Runtime; its weights must be those that were sealed.

    Each pair is computed alone, on one core, and several at once: nothing is padding, and a score does not depend on the company, as it
    would where activations of a batch share their scale.
    """

    def __init__(self, folder: Path = WEIGHTS) -> None:
        sums = folder / CHECKSUMS
        self.name = f"hkai-judge-{hashlib.sha256(sums.read_bytes()).hexdigest()[:8]}" if sums.is_file() else ""
        self.folder = folder
        self._encoder: _Encoder | None = None
        self._loading = threading.Lock()

    @property
    def present(self) -> bool:
        """Whether there are weights."""
        return bool(self.name)

    def load(self) -> _Encoder:
        """The model, read the first time; raises `JudgeError`."""
        with self._loading:
            if self._encoder is None:
                self._check()
                self._encoder = _Encoder(self.folder)
            return self._encoder

    def scores(self, question: str, statements: Sequence[str]) -> NDArray[np.float32]:
        """For each statement how well it answers the question, as log odds, shape (statements,); raises `JudgeError`."""
        if not statements:
            return np.zeros(0, dtype=np.float32)
        return self.load().scores(_cut([(question, statement) for statement in statements]))

    def _check(self) -> None:
        sums = _checksums(self.folder)
        for name in (INT8, FLOAT, TOKENIZER):
            if name not in sums:
                raise JudgeError(f"{self.folder / CHECKSUMS} does not name {name}. {_REMEDY}")
        for name, expected in sums.items():
            try:
                found = _digest(self.folder / name)
            except OSError as error:
                raise JudgeError(f"{self.folder / name} cannot be read ({error.strerror}). {_REMEDY}") from error
            if found != expected:
                raise JudgeError(f"{self.folder / name} is not the file that belongs here (its checksum differs). {_REMEDY}")


class _Encoder:
    """The layers of the judge in `folder` on ONNX Runtime, before them its tokenizer and word vectors."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession((folder / INT8).read_bytes(), options, providers=["CPUExecutionProvider"])
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
            with safe_open(folder / FLOAT, "numpy") as weights:
                self._words = weights.get_tensor(WORDS).astype(np.float32)
            self._tokenizer.enable_truncation(LONGEST)
            self._tokenizer.no_padding()
            self._pool = ThreadPoolExecutor(_cores(), thread_name_prefix="judge")
            self.scores([("Is it whole?", "It is.")])
        except Exception as error:  # for a file that is not theirs tokenizers raises Exception itself, ONNX Runtime classes with no other base
            raise JudgeError(f"{folder} cannot be loaded as a judge ({_said(error)}). {_REMEDY}") from error

    def scores(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch(pairs)]
        longest_first = sorted(range(len(pairs)), key=lambda at: -len(encoded[at]))
        scores = np.zeros(len(pairs), dtype=np.float32)
        scores[longest_first] = list(self._pool.map(self._score, (encoded[at] for at in longest_first)))
        return scores

    def _score(self, pieces: Sequence[int]) -> float:
        words = self._words[np.array(pieces)][np.newaxis]
        return float(self._session.run(None, {"words": words, "attention_mask": np.ones(words.shape[:2], dtype=np.int64)})[0][0, 0])


def _said(error: Exception) -> str:
    """The first line of what an error says, or its name where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def seal(folder: Path) -> None:
    """Writes the checksums of the files of `folder`."""
    sums = {path.name: _digest(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name not in (CHECKSUMS, "README.md")}
    (folder / CHECKSUMS).write_text(json.dumps(sums, indent=2) + "\n", encoding="utf-8")


def _checksums(folder: Path) -> dict[str, str]:
    try:
        return dict(json.loads((folder / CHECKSUMS).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise JudgeError(f"{folder / CHECKSUMS} cannot be read ({error}). {_REMEDY}") from error


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
