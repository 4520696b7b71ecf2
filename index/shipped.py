"""Vectors of the corpus's own passages that come with the project, so that a first index takes seconds, not minutes.

`python -m index.shipped` (`make vectors`) encodes the passages that `vectors.npz` lacks, drops those that no text has any more, and
writes it again. A passage that is not in it is encoded when it is indexed, so a file that is behind costs time only.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
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


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: brings `vectors.npz` up to date with the corpus."""
    from corpus.markdown import load as load_texts
    from index.embedder import DEFAULT, Embedder
    from index.library import passages

    folder = Path((arguments if arguments is not None else sys.argv[1:] or ["data/models"])[0])
    wanted = {key(passage): passage for text in load_texts() for _, passage in passages(text)}
    held = load(DEFAULT)
    missing = [at for at in wanted if at not in held]
    if missing:
        embedder = Embedder(cache=folder)
        for start in range(0, len(missing), 256):
            part = missing[start : start + 256]
            held |= dict(zip(part, embedder.passages([wanted[at] for at in part]), strict=True))
            sys.stderr.write(f"\r{min(start + 256, len(missing))} of {len(missing)} passages")
        sys.stderr.write("\n")
    save(DEFAULT, {at: held[at] for at in wanted})
    sys.stdout.write(f"{len(wanted)} passages, {len(missing)} encoded now, in {FILE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
