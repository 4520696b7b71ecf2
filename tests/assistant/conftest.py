"""What the assistant's tests share: the chain over the small library, and the scripted model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assistant.chain import Chain
from assistant.evidence import load_weights
from assistant.model import ModelWriter
from index.library import Library
from tests.model_server import ModelServer, model_server


@pytest.fixture
def scripted() -> Iterator[ModelServer]:
    """A language model on the wire that answers as it is told."""
    with model_server() as running:
        yield running


@pytest.fixture(scope="session")
def chain(library: Library) -> Chain:
    """The chain that quotes."""
    return Chain(library, load_weights(library.embedder.name))


@pytest.fixture
def writing(library: Library, scripted: ModelServer) -> Chain:
    """The chain whose model is `scripted`."""
    writer = ModelWriter("small", base_url=scripted.url, api_key="", timeout=20, total=60)
    return Chain(library, load_weights(library.embedder.name), writer=writer)
