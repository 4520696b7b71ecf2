"""The writer that uses a language model: any endpoint that speaks OpenAI's protocol."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from assistant.errors import ModelError
from assistant.prompts import messages
from assistant.records import Evidence, Question, Turn

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

MAX_TOKENS = 700
MAX_CHARACTERS = 8_000


class ModelWriter:
    """Writes answers with a chat model; every failure of the endpoint is a `ModelError`."""

    def __init__(self, name: str, *, base_url: str, api_key: str, timeout: float, total: float) -> None:
        self.name = name
        self._base_url = base_url
        self._api_key = api_key
        self._timeout = timeout
        self._total = total
        self._chat: ChatOpenAI | None = None

    def write(self, question: Question, evidence: Sequence[Evidence], turns: Sequence[Turn] = ()) -> Iterator[str]:
        """The answer in pieces as the model sends them; raises `ModelError`, also in mid-stream."""
        import httpx
        import openai

        started = time.monotonic()
        size = 0
        try:
            for piece in self._client().stream(messages(question, evidence, turns)):
                text = piece.text
                size += len(text)
                if time.monotonic() - started > self._total:
                    raise ModelError(f"The model did not finish within {self._total:g} s.", "Raise HKAI_MODEL_TOTAL or use a faster model.", retryable=True)
                if size > MAX_CHARACTERS:
                    raise ModelError("The model does not stop writing.", "Use another model.")
                if text:
                    yield text
        except openai.AuthenticationError as error:
            raise ModelError("The model's endpoint refused the key.", "Check OPENAI_API_KEY.") from error
        except openai.NotFoundError as error:
            raise ModelError(f"The endpoint knows no model {self.name!r}.", "Check HKAI_MODEL and OPENAI_BASE_URL.") from error
        except openai.RateLimitError as error:
            raise ModelError("The model's endpoint is limiting requests.", "Try again later.", retryable=True) from error
        except (openai.APITimeoutError, httpx.TimeoutException) as error:
            raise ModelError(f"The model sent nothing for {self._timeout:g} s.", "Raise HKAI_MODEL_TIMEOUT or check the endpoint.", retryable=True) from error
        except (openai.OpenAIError, httpx.HTTPError, ValueError, TypeError, KeyError, AttributeError) as error:  # the last four: a reply that is no reply
            raise ModelError(f"The model's endpoint failed ({type(error).__name__}).", "Check OPENAI_BASE_URL.", retryable=True) from error
        if not size:
            raise ModelError("The model returned nothing.", "Try again, or use another model.", retryable=True)

    def _client(self) -> ChatOpenAI:
        if self._chat is None:
            from langchain_openai import ChatOpenAI
            from pydantic import SecretStr

            self._chat = ChatOpenAI(
                model=self.name,
                base_url=self._base_url or None,
                api_key=SecretStr(self._api_key or "none"),
                temperature=0,
                max_completion_tokens=MAX_TOKENS,
                timeout=self._timeout,
                max_retries=2,
                stream_usage=False,
            )
        return self._chat
