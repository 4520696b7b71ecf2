"""The one tree of errors. Each says what to do and whether trying again helps.

    HkaiError
    ├── BadInput            the request cannot be answered as it is                         no
    │   ├── NotFound        what it names is not there, or not the caller's                 no
    │   └── TooLarge        it is larger than what is taken                                 no
    ├── BadSettings         a setting is unknown or impossible                              no
    ├── NotReady            index, embedder or texts are missing, stale or still loading    once mended
    ├── DocumentError       a document cannot be read                                       no
    ├── Busy                too much work is waiting                                        yes
    ├── Broken              work in the background ended in a fault of the program          no
    ├── StoreError          the database of conversations: unreachable, full, newer         as `retryable` says
    └── ModelError          the language model: unreachable, slow, refusing, garbled        as `retryable` says

What libraries raise becomes one of these where it arrives: `index.library.LibraryError`, `index.embedder.EmbedderError`
and `index.meaning.MeaningError` become `NotReady`; `corpus.readers.Unreadable` becomes `DocumentError`; whatever openai
and httpx2 raise becomes `ModelError`, and whatever sqlalchemy raises `StoreError`.
"""

from __future__ import annotations


class HkaiError(Exception):
    """Base of all; `code` is stable, `remedy` says what to do, `retryable` whether the same call may succeed later."""

    code = "error"
    retryable = False

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class BadInput(HkaiError):
    """The request cannot be answered as it is."""

    code = "bad_input"


class NotFound(BadInput):
    """What the request names is not there, or not the caller's."""

    code = "not_found"


class TooLarge(BadInput):
    """The request is larger than what is taken."""

    code = "too_large"


class BadSettings(HkaiError):
    """A setting is unknown or impossible."""

    code = "bad_settings"


class NotReady(HkaiError):
    """Index, embedder or texts are missing, stale or still loading."""

    code = "not_ready"
    retryable = True


class DocumentError(HkaiError):
    """A document cannot be read."""

    code = "document"


class Busy(HkaiError):
    """Too much work is waiting."""

    code = "busy"
    retryable = True


class Broken(HkaiError):
    """Work in the background ended in a fault of the program."""

    code = "broken"


class StoreError(HkaiError):
    """The database of conversations is unreachable, full, or made by a newer version."""

    code = "store"

    def __init__(self, message: str, remedy: str = "", *, retryable: bool = False) -> None:
        super().__init__(message, remedy)
        self.retryable = retryable


class ModelError(HkaiError):
    """The language model is unreachable, slow, refusing or garbled; `plain` says so to who asked, by language."""

    code = "model"

    def __init__(self, message: str, remedy: str = "", *, retryable: bool = False, chinese: str = "") -> None:
        super().__init__(message, remedy)
        self.retryable = retryable
        self.plain = {"en": message.rstrip("."), "zh": chinese or message.rstrip(".")}
