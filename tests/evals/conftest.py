from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.chain import Chain
from assistant.evidence import load_weights
from index.library import Library


@pytest.fixture(scope="session")
def chain(library: Library) -> Chain:
    """The chain as it is, over three topics."""
    return Chain(library, load_weights(library.embedder.name))


@pytest.fixture(scope="session")
def broken_chain(library: Library) -> Chain:
    """The same with a retriever that puts the worst first."""
    weights = load_weights(library.embedder.name)
    return Chain(library, replace(weights, statement={name: -weight for name, weight in weights.statement.items()}))
