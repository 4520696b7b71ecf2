"""Vectors of the corpus's own passages that come with the project, so that a first index takes seconds, not minutes.

`make vectors` (`index/ship.py`) writes them. A passage that is not among them is encoded when it is indexed, so a file that is
behind costs time only.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).parent / "vectors.npz"

Keys = NDArray[np.uint64]


def key(passage: str) -> int:
    """The first 8 bytes of the passage's SHA-256, as a number."""
    return int.from_bytes(hashlib.sha256(passage.encode()).digest()[:8], "big")


def load(embedder: str, path: Path = FILE) -> dict[int, NDArray[np.float32]]:
    """The vectors that `path` holds for an embedder, by `key`; none if it is of another one or not there."""
    if not path.exists():
        return {}
    with np.load(path) as file:
        if str(file["embedder"]) != embedder:
            return {}
        return dict(zip(file["keys"].tolist(), file["vectors"].astype(np.float32), strict=True))


def save(embedder: str, vectors: dict[int, NDArray[np.float32]], path: Path = FILE) -> None:
    """Writes vectors in half precision (a cosine changes by under 0.001), in order of key, so that the same give the same file."""
    keys = sorted(vectors)
    np.savez(path, embedder=np.array(embedder), keys=np.array(keys, dtype=np.uint64), vectors=np.array([vectors[at] for at in keys], dtype=np.float16))
