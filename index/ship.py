"""Brings `vectors.npz` up to date with the corpus: `python -m index.ship` (`make vectors`).

Encodes the passages that it lacks and drops those that no text has any more.
"""

from __future__ import annotations

import sys
from pathlib import Path

from corpus.markdown import load as load_texts
from index import e5, shipped
from index.embedder import Embedder
from index.library import passages

BATCH = 256


def main(cache: Path = Path("data/models")) -> int:
    """The command; the encoder is made below `cache` if need be."""
    wanted = {shipped.key(passage): passage for text in load_texts() for _, passage in passages(text)}
    held = shipped.load(e5.FOLDER)
    missing = [at for at in wanted if at not in held]
    embedder = Embedder(cache=cache)
    for start in range(0, len(missing), BATCH):
        part = missing[start : start + BATCH]
        held |= dict(zip(part, embedder.encoded([wanted[at] for at in part]), strict=True))
        sys.stderr.write(f"\r{min(start + BATCH, len(missing))} of {len(missing)} passages")
    shipped.save(e5.FOLDER, {at: held[at] for at in wanted})
    sys.stdout.write(f"{len(wanted)} passages, {len(missing)} of them encoded now, in {shipped.FILE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
