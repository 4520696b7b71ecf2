"""The writer that uses a language model: any endpoint that speaks OpenAI's protocol.

prompt ─► circuit ─► call, read by its own thread ─► marks ─► pieces of the answer
             ▲          │ 429 or 5xx before the first token: again, after a while
             └─ outcome ┘ anything else that goes wrong: `ModelError`
"""

from __future__ import annotations

import email.utils
import queue
import random
import socket
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant import marks
from assistant.circuit import Circuit
from assistant.errors import ModelError
from assistant.prompts import PER_MESSAGE, Prompt, prompt, tokens
from assistant.records import Evidence, Question, Turn

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    import httpx2

    from assistant.local import LocalModel

MAX_TOKENS = 700
MAX_CHARACTERS = 8_000
TRIES = 3
# Seconds before the second try where the endpoint does not say how long; doubled before each further one.
BACK_OFF = 0.5
BUDGET = 6_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of a reply: the text that it brings, and why the reply ends, if it does."""

    text: str
    finish: str


class ModelWriter:
    """Writes answers with a chat model; every failure of the endpoint is a `ModelError`. Shared by threads.

    `timeout` is in seconds without a token, `total` in all, retries included; `budget` in tokens that are sent at most. `local` serves
    the model in this process, in place of the endpoint at `base_url`.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        api_key: str,
        timeout: float,
        total: float,
        budget: int = BUDGET,
        temperature: float = 0,
        circuit: Circuit | None = None,
        local: LocalModel | None = None,
    ) -> None:
        self.name = name
        self.circuit = circuit or Circuit()
        self._base_url = base_url
        self._api_key = api_key
        self._timeout = timeout
        self._total = total
        self._budget = budget
        self._temperature = temperature
        self._local = local
        self._verify: ssl.SSLContext | None = None
        # Told of every call, once it has ended, how many tokens were sent and written.
        self.spent: Callable[[int, int], None] = lambda sent, written: None

    def load(self) -> None:
        """Loads what a call needs, the local model if it is one; raises `ModelError`."""
        import httpx2

        if self._local:
            self._local.load(self._budget + MAX_TOKENS)
            self._base_url, self._api_key = self._local.url, self._local.key
        self._verify = self._verify or httpx2.create_ssl_context()

    def write(self, question: Question, evidence: Sequence[Evidence], turns: Sequence[Turn] = ()) -> Generator[str]:
        """The answer in pieces as the model sends them, with marks of evidence that was sent only; raises `ModelError`, also in mid-stream."""
        sent = prompt(question, evidence, turns, self._budget)
        if not self.circuit.enter():
            raise ModelError(
                f"The model failed several times in a row and is left alone for {self.circuit.rest:g} s.",
                "Check the model's endpoint.",
                retryable=True,
                chinese="語言模型接連失敗，暫停使用片刻",
            )
        report = self.circuit.left  # should the caller stop reading
        try:
            self.load()
            with closing(self._tries(sent)) as pieces:
                yield from marks.read(pieces, sent.numbers)
            report = self.circuit.succeeded
        except ModelError:
            report = self.circuit.failed
            raise
        finally:
            report()

    def _tries(self, sent: Prompt) -> Generator[str]:
        """What the first call that does not fail at once gives."""
        import openai

        until = time.monotonic() + self._total
        for again in reversed(range(TRIES)):
            try:
                yield from self._read(sent, until)
                return
            except openai.APIStatusError as error:
                told = _retry_after(error.response.headers)
                pause = BACK_OFF * 2 ** (TRIES - 1 - again) * random.uniform(0.5, 1) if told is None else told
                passes = error.status_code in (408, 429) or error.status_code >= 500
                if not again or not passes or time.monotonic() + pause >= until:
                    raise self._refused(error) from error
                time.sleep(pause)
            except (openai.APITimeoutError, queue.Empty) as error:
                raise self._too_slow(until) from error
            except _unreadable() as error:
                raise self._failed(type(error).__name__) from error

    def _read(self, sent: Prompt, until: float) -> Iterator[str]:
        """What one call gives; raises what the libraries raise, and `ModelError` where it is too slow, too long, empty or breaks off."""
        call = _Call(self, sent, min(self._timeout, max(0.001, until - time.monotonic())))
        size, written, finish = 0, 0, ""
        try:
            while not finish:
                chunk = call.next(self._timeout, until)
                if chunk is None:
                    break
                finish = chunk.finish
                size += len(chunk.text)
                written += tokens(chunk.text)
                if size > MAX_CHARACTERS:
                    raise ModelError("The model does not stop writing.", "Use another model.", chinese="語言模型寫個不停")
                if chunk.text:
                    yield chunk.text
        finally:
            call.give_up()
            self.spent(sum(tokens(said) + PER_MESSAGE for _, said in sent.messages), written)
        if finish == "content_filter":
            raise ModelError("The model's endpoint withheld the answer.", "Use another model.", chinese="語言模型的服務扣起了答案")
        if not size:
            raise ModelError("The model returned nothing.", "Try again, or use another model.", retryable=True, chinese="語言模型沒有回覆任何內容")
        if not finish:
            raise self._failed("the reply broke off")

    def stream(self, sent: Prompt, timeout: float, opened: Callable[[httpx2.Response], None]) -> Iterator[Chunk]:
        """The chunks of one call; `opened` is told of its connection once it is answered, and it is closed at the end."""
        import openai
        from langchain_openai import ChatOpenAI
        from pydantic import SecretStr

        hooks = {"response": [opened]}
        with openai.DefaultHttpxClient(verify=self._verify or True, event_hooks=hooks, trust_env=not self._local) as http:
            chat = ChatOpenAI(
                model=self.name,
                base_url=self._base_url or None,
                api_key=SecretStr(self._api_key or "none"),
                temperature=self._temperature,
                max_completion_tokens=MAX_TOKENS,
                timeout=timeout,
                max_retries=0,
                stream_usage=False,
                http_client=http,
            )
            for chunk in chat.stream(list(sent.messages)):
                yield Chunk(chunk.text, str(chunk.response_metadata.get("finish_reason") or ""))

    def _refused(self, error: Exception) -> ModelError:
        """What a status that is no answer means."""
        import openai

        match error:
            case openai.AuthenticationError():
                return ModelError("The model's endpoint refused the key.", "Check OPENAI_API_KEY.", chinese="語言模型的服務不接受所用的密鑰")
            case openai.PermissionDeniedError():
                return ModelError("The model's endpoint does not permit this.", "Check what OPENAI_API_KEY may use.", chinese="語言模型的服務不允許使用")
            case openai.NotFoundError():
                return ModelError(
                    f"The endpoint knows no model {self.name!r}.", "Check HKAI_MODEL and OPENAI_BASE_URL.", chinese=f"語言模型的服務沒有「{self.name}」這個模型"
                )
            case openai.RateLimitError():
                return ModelError("The model's endpoint is limiting requests.", "Try again later.", retryable=True, chinese="語言模型的服務正限制使用次數")
            case openai.APIStatusError():
                return self._failed(f"status {error.status_code}")
        return self._failed(type(error).__name__)

    def _failed(self, what: str) -> ModelError:
        return ModelError(f"The model's endpoint failed ({what}).", "Check OPENAI_BASE_URL.", retryable=True, chinese="語言模型的服務出錯")

    def _too_slow(self, until: float) -> ModelError:
        if time.monotonic() > until - 0.1:
            return ModelError(
                f"The model did not finish within {self._total:g} s.",
                "Raise HKAI_MODEL_TOTAL or use a faster model.",
                retryable=True,
                chinese=f"語言模型未能在 {self._total:g} 秒內完成",
            )
        return ModelError(
            f"The model sent nothing for {self._timeout:g} s.",
            "Raise HKAI_MODEL_TIMEOUT or check the endpoint.",
            retryable=True,
            chinese=f"語言模型 {self._timeout:g} 秒沒有回應",
        )


class _Call:
    """One call, read by a thread of its own, so that it can be given up at any moment, whatever the network does.

    A time-out of the library counts bytes, not tokens, and none bounds the look-up of a name.
    """

    def __init__(self, writer: ModelWriter, sent: Prompt, timeout: float) -> None:
        self._chunks: queue.Queue[Chunk | Exception | None] = queue.Queue(maxsize=1_000)
        self._responses: list[httpx2.Response] = []
        self._over = threading.Event()
        threading.Thread(target=self._run, args=(writer, sent, timeout), name="model", daemon=True).start()

    def next(self, timeout: float, until: float) -> Chunk | None:
        """The next chunk, or None after the last; raises `queue.Empty` if there is none in time, and what the call raised."""
        left = until - time.monotonic()
        if left <= 0:
            raise queue.Empty
        chunk = self._chunks.get(timeout=min(timeout, left))
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    def give_up(self) -> None:
        """Ends the call and its connection; nothing to do if it is at its end."""
        self._over.set()
        for response in self._responses:
            _hang_up(response)

    def _opened(self, response: httpx2.Response) -> None:
        self._responses.append(response)
        if self._over.is_set():  # given up before the endpoint answered
            _hang_up(response)

    def _run(self, writer: ModelWriter, sent: Prompt, timeout: float) -> None:
        last: Exception | None = ConnectionError("the call ended without an outcome")
        try:
            for chunk in writer.stream(sent, timeout, self._opened):
                if self._over.is_set():
                    return
                self._put(chunk)
            last = None
        except _unreadable() as error:
            last = error
        finally:
            self._put(last)

    def _put(self, chunk: Chunk | Exception | None) -> None:
        """Hands on what came, as long as anybody is there to take it."""
        while not self._over.is_set():
            with suppress(queue.Full):
                self._chunks.put(chunk, timeout=0.1)
                return


def _hang_up(response: httpx2.Response) -> None:
    connection = response.extensions["network_stream"].get_extra_info("socket")
    with suppress(OSError):  # it is closed already
        connection.shutdown(socket.SHUT_RDWR)


def _unreadable() -> tuple[type[Exception], ...]:
    """What is raised where an endpoint is not there or its reply is no reply: the last are those of a reply with another shape than the protocol's."""
    import httpx2
    import openai

    return (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, TypeError, KeyError, IndexError, AttributeError)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds after which to try again, as the endpoint says: a number, or a date (RFC 9110, 10.2.3)."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with suppress(ValueError):
            return max(0.0, float(headers.get(name, "")) * unit)
    with suppress(ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time())
    return None
