"""How well a statement answers a question: a small cross-encoder, trained by `evals/judge.py`, its weights in `judge_weights/`; or another by name."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import warnings
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
# The matrices to round: those that a LayerNorm feeds. The inputs of the others have outliers, beside which 8 bits leave nothing of the rest.
_ROUNDED = re.compile(r"\.self\.|\.intermediate\.")
_REMEDY = "Run `git checkout index/judge_weights`, or set HKAI_JUDGE=off."


class JudgeError(Exception):
    """The judge's weights cannot be used; the message says why and what mends it."""


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
        return _cross_encoder(self.name, "Check HKAI_RERANKER: a sentence-transformers cross-encoder's folder, or its name if the model hub can be reached.")


class Judge(Reranker):
    """A cross-encoder over question and statement, loaded when it is first used or by `load`, once.

    Most of its matrices are rounded to 8 bits as it is loaded (dynamic quantisation), for speed on a CPU; `exact` leaves them as they are.
    """

    def __init__(self, folder: Path = WEIGHTS, *, exact: bool = False) -> None:
        sums = folder / CHECKSUMS
        super().__init__(f"hkai-judge-{hashlib.sha256(sums.read_bytes()).hexdigest()[:8]}" if sums.is_file() else "")
        self.folder = folder
        self._exact = exact

    @property
    def present(self) -> bool:
        """Whether there are weights."""
        return bool(self.name)

    def _read(self) -> CrossEncoder:
        import torch

        for name, expected in _checksums(self.folder).items():
            try:
                found = _digest(self.folder / name)
            except OSError as error:
                raise JudgeError(f"{self.folder / name} cannot be read ({error.strerror}). {_REMEDY}") from error
            if found != expected:
                raise JudgeError(f"{self.folder / name} is not the file that belongs here (its checksum differs). {_REMEDY}")
        model = _cross_encoder(str(self.folder), _REMEDY)
        if not self._exact and model.device.type == "cpu":
            with warnings.catch_warnings():  # PyTorch 2.13, which is pinned, says that a later one will do this by another name
                warnings.simplefilter("ignore")
                matrices = [name for name, part in model.named_modules() if isinstance(part, torch.nn.Linear) and _ROUNDED.search(name)]
                by_row = dict.fromkeys(matrices, torch.ao.quantization.per_channel_dynamic_qconfig)
                torch.ao.quantization.quantize_dynamic(model, by_row, inplace=True)
        return model


def _cross_encoder(name: str, remedy: str) -> CrossEncoder:
    import torch
    from sentence_transformers import CrossEncoder

    try:
        model: CrossEncoder = CrossEncoder(name, max_length=LONGEST, activation_fn=torch.nn.Identity(), model_kwargs={"dtype": torch.float32})
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
