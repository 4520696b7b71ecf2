"""How well a statement answers a question: a small cross-encoder, trained by `evals/judge.py`, its weights in `judge_weights/`; or another by name."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

WEIGHTS = Path(__file__).parent / "judge_weights"
CHECKSUMS = "checksums.json"
# Pieces of question and statement together, and characters of each; what is longer is cut, so that time and memory are bounded.
LONGEST = 192
CHARACTERS = 1_000
_REMEDY = "Run `git checkout index/judge_weights`, or set HKAI_JUDGE=off."


class JudgeError(Exception):
    """The judge, or another cross-encoder, cannot be used; the message says why and what mends it."""


class Reranker:
    """Any cross-encoder, by its name on a model hub or its folder, loaded when it is first used or by `load`, once."""

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

    def scores(self, question: str, statements: Sequence[str]) -> NDArray[np.float32]:
        """For each statement how well it answers the question, as log odds where the model gives such, shape (statements,); raises `JudgeError`."""
        if not statements:
            return np.zeros(0, dtype=np.float32)
        model = self.load()
        with self._scoring:
            pairs = [(question[:CHARACTERS], statement[:CHARACTERS]) for statement in statements]
            return np.asarray(model.predict(pairs, batch_size=64, show_progress_bar=False), dtype=np.float32)

    def _read(self) -> CrossEncoder:
        remedy = "Set HKAI_RERANKER to a cross-encoder with one score: its folder, or its name if the model hub can be reached."
        model = _cross_encoder(self.name, remedy)
        trained = any("SequenceClassification" in name for name in getattr(model.config, "architectures", None) or ())
        if model.num_labels != 1 or not trained:
            raise JudgeError(f"{self.name} is no cross-encoder with one score. {remedy}")
        return model


class Judge(Reranker):
    """The cross-encoder that comes with the project; its weights must be those that were sealed."""

    def __init__(self, folder: Path = WEIGHTS) -> None:
        sums = folder / CHECKSUMS
        super().__init__(f"hkai-judge-{hashlib.sha256(sums.read_bytes()).hexdigest()[:8]}" if sums.is_file() else "")
        self.folder = folder

    @property
    def present(self) -> bool:
        """Whether there are weights."""
        return bool(self.name)

    def _read(self) -> CrossEncoder:
        for name, expected in _checksums(self.folder).items():
            try:
                found = _digest(self.folder / name)
            except OSError as error:
                raise JudgeError(f"{self.folder / name} cannot be read ({error.strerror}). {_REMEDY}") from error
            if found != expected:
                raise JudgeError(f"{self.folder / name} is not the file that belongs here (its checksum differs). {_REMEDY}")
        return _cross_encoder(str(self.folder), _REMEDY, bfloat16=_computes_in_bfloat16())


def _computes_in_bfloat16() -> bool:
    """Whether this processor, an x86, multiplies in bfloat16: the judge is then nearly twice as fast, its log odds within 0.1 of those in float32."""
    import torch

    able = torch.cpu.get_capabilities()
    return any(able.get(name) for name in ("avx512_bf16", "amx_bf16"))


def _cross_encoder(name: str, remedy: str, *, bfloat16: bool = False) -> CrossEncoder:
    import torch
    from sentence_transformers import CrossEncoder

    dtype = torch.bfloat16 if bfloat16 else torch.float32
    try:
        model: CrossEncoder = CrossEncoder(name, max_length=LONGEST, activation_fn=torch.nn.Identity(), model_kwargs={"dtype": dtype})
    except (OSError, ValueError) as error:
        raise JudgeError(f"{name} cannot be loaded as a cross-encoder ({str(error).splitlines()[0]}). {remedy}") from error
    return model


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
