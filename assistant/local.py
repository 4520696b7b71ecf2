"""A language model in this process: a GGUF file on llama.cpp, which speaks OpenAI's protocol on a port of its own."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import ModelError

if TYPE_CHECKING:
    from xllamacpp import Server

# Added to what is read and written, because tokens are counted without the model's own vocabulary.
SPARE = 512


class LocalModel:
    """The file at `path`, run on the processor; nothing is loaded before `load`.

    Its port is open on 127.0.0.1 alone and takes only requests that carry `key`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.key = secrets.token_hex(16)
        self.url = ""
        self._lock = threading.Lock()
        self._server: Server | None = None

    def load(self, context: int) -> None:
        """Loads the model for `context` tokens, once; raises `ModelError` if the file or the library is missing or unusable."""
        with self._lock:
            if self._server:
                return
            try:
                from xllamacpp import CommonParams, Server
            except ImportError as error:
                raise ModelError("HKAI_MODEL names a GGUF file, and what runs it is not installed.", "Run: .venv/bin/pip install -e '.[local]'") from error
            if not self.path.is_file():
                raise ModelError(f"There is no model file {self.path}.", "Set HKAI_MODEL to a GGUF file, or to the name of a model of an endpoint.")
            parameters = CommonParams()
            parameters.model.path = str(self.path)
            parameters.port = 0
            parameters.api_keys = [self.key]
            parameters.n_ctx = context + SPARE
            parameters.n_parallel = 1
            parameters.ui = False
            parameters.verbosity = 0
            try:
                self._server = Server(parameters)
            except RuntimeError as error:
                raise ModelError(f"llama.cpp cannot load {self.path}.", "Give a GGUF file that is whole, and for which there is memory.") from error
            self.url = f"{self._server.listening_address}/v1"
