"""Documents over HTTP: add, list, read, replace and delete them. Reading and indexing is a job; `/v1/jobs/{id}` says how far it is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, HttpUrl, TypeAdapter, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from assistant.build import Parts, add_documents, sync_index
from assistant.errors import BadInput, DocumentError, NotFound, TooLarge
from corpus.readers import Unreadable, from_bytes, from_url, public
from corpus.text import SourceText
from ui import examples
from ui.contract import TextModel, TextSummary, text_model, text_summary
from ui.jobs import Job, Jobs, Progress
from ui.replies import refusals

# What a multipart body may hold besides the file.
ENVELOPE = 100_000
LONGEST_NAME = 200

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}},
            "application/json": {
                "schema": {"type": "object", "required": ["url"], "properties": {"url": {"type": "string", "format": "uri"}}, "additionalProperties": False},
                "examples": examples.requests(examples.DOCUMENT_REQUESTS),
            },
        },
    }
}
_ACCEPTED = examples.reply(examples.WAITING, status=202)
Id = Annotated[str, Path(examples=[examples.DOCUMENT["id"]])]


class DocumentList(BaseModel):
    """Some of the documents, in order of their ids, and how many there are in all."""

    documents: list[TextSummary]
    total: int


class JobError(BaseModel):
    """Why a piece of work failed, what to do about it, and whether the same may succeed later."""

    code: str
    message: str
    remedy: str
    retryable: bool


class JobModel(BaseModel):
    """How far a piece of work is; `document` is the document's id, once it is known, and `error` why the work failed."""

    id: str
    kind: Literal["add", "replace", "delete"]
    status: Literal["waiting", "running", "done", "failed"]
    done: int = Field(description="Texts indexed so far.")
    total: int
    document: str
    error: JobError | None


@dataclass(frozen=True, slots=True)
class _Sent:
    """What was sent: a file, or the address of a page."""

    name: str = ""
    data: bytes = b""
    url: str = ""

    def read(self, max_mb: float) -> SourceText:
        """The document in it; raises `DocumentError`."""
        try:
            if self.url:
                return from_url(self.url, max_mb=max_mb, allowed=public)
            return from_bytes(self.data, self.name, place=hashlib.sha256(self.data).hexdigest())
        except Unreadable as reason:
            raise DocumentError(f"{self.name or self.url} was not added: {reason}.", "Send a Markdown, text, HTML, PDF, DOCX or PPTX document.") from reason


def router(parts: Parts, ready: Callable[[], None]) -> APIRouter:
    """The routes; `ready` raises `NotReady` until questions are answered."""
    routes = APIRouter(prefix="/v1", tags=["documents"])
    jobs = Jobs()
    max_mb = parts.settings.max_file_mb

    def own(identifier: str) -> SourceText:
        with parts.chain.reading() as library:
            found = library.texts.get(identifier)
        if found is None or not found.own:
            raise NotFound(f"There is no document {identifier!r}.", "GET /v1/documents lists them.")
        return found

    @routes.post("/documents", status_code=202, response_model=JobModel, openapi_extra=_BODY, responses=refusals(413, 422, 503) | _ACCEPTED)
    async def add(request: Request) -> Any:
        """Adds a document: a file, or the page at a URL. The same file sent again is the same document."""
        ready()
        sent = await _sent(request, max_mb)

        def work(progress: Progress) -> str:
            document = sent.read(max_mb)
            add_documents(parts, [document], progress)
            return document.id

        return _accepted(jobs.start("add", work))

    @routes.get("/documents", responses=refusals(422, 503) | examples.reply(examples.DOCUMENTS))
    def documents(limit: Annotated[int, Query(ge=1, le=1000)] = 100, offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0) -> DocumentList:
        """The documents that were added, without their texts."""
        ready()
        with parts.chain.reading() as library:
            held = sorted((text for text in library.texts.values() if text.own), key=lambda text: text.id)
        return DocumentList(documents=[text_summary(text) for text in held[offset : offset + limit]], total=len(held))

    @routes.get("/documents/{identifier}", responses=refusals(404, 422, 503) | examples.reply(examples.DOCUMENT))
    def document(identifier: Id) -> TextModel:
        """One document whole, with its statements."""
        ready()
        return text_model(own(identifier))

    @routes.put("/documents/{identifier}", status_code=202, response_model=JobModel, openapi_extra=_BODY, responses=refusals(404, 413, 422, 503) | _ACCEPTED)
    async def put(identifier: Id, request: Request) -> Any:
        """Puts another file or page in a document's place, under its id; kept answers that quoted it say that their source was deleted."""
        ready()
        await run_in_threadpool(own, identifier)
        sent = await _sent(request, max_mb)

        def work(progress: Progress) -> str:
            add_documents(parts, [replace(sent.read(max_mb), id=identifier)], progress)
            return identifier

        return _accepted(jobs.start("replace", work, identifier))

    @routes.delete("/documents/{identifier}", status_code=202, response_model=JobModel, responses=refusals(404, 422, 503) | _ACCEPTED)
    def delete(identifier: Id) -> Any:
        """Deletes a document: once the job is done no search and no answer holds it, no kept answer either, and no file of the index."""
        ready()
        own(identifier)

        def work(progress: Progress) -> str:
            parts.library.remove(identifier)
            sync_index(parts, progress)
            return identifier

        return _accepted(jobs.start("delete", work, identifier))

    @routes.get("/jobs/{identifier}", responses=refusals(404, 422) | examples.reply(examples.JOB))
    def job(identifier: Annotated[str, Path(examples=[examples.JOB["id"]])]) -> JobModel:
        """How far a piece of work is."""
        found = jobs.get(identifier)
        if found is None:
            remedy = "Jobs are forgotten when their server process ends; GET /v1/documents shows what is held. Send the document again if it is not."
            raise NotFound(f"This server process has no job {identifier!r}.", remedy)
        return _job_model(found)

    return routes


async def _sent(request: Request, max_mb: float) -> _Sent:
    """What the body of the request holds; raises `BadInput` and `TooLarge`."""
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        raise BadInput("The request does not say how long its body is.", "Send it with a Content-Length.")
    if int(length) > max_mb * 1_000_000 + ENVELOPE:
        raise TooLarge(f"The document is larger than {max_mb:g} MB.", "Send a smaller one, or set HKAI_MAX_FILE_MB.")
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        try:
            async with request.form(max_files=1, max_fields=4) as form:
                file = form.get("file")
                if not isinstance(file, UploadFile):
                    raise BadInput("The form has no file in its field `file`.", "Send the document as multipart/form-data, field `file`.")
                name = re.sub(r"[\x00-\x1f\x7f]", "", re.split(r"[/\\]", file.filename or "")[-1]).strip()[:LONGEST_NAME]
                data = await file.read()
        except HTTPException as error:
            raise BadInput(f"The form cannot be read ({error.detail})", "Send one file as multipart/form-data, field `file`.") from error
        if not name:
            raise BadInput("The file has no name.", "Send it with a file name.")
        if len(data) > max_mb * 1_000_000:
            raise TooLarge(f"The document is larger than {max_mb:g} MB.", "Send a smaller one, or set HKAI_MAX_FILE_MB.")
        return _Sent(name, data)
    try:
        body = json.loads(await request.body())
        if not isinstance(body, dict) or set(body) != {"url"}:
            raise BadInput("The body has to be a form with a `file`, or JSON with a `url` and nothing else.", "See /openapi.json.")
        return _Sent(url=str(TypeAdapter(HttpUrl).validate_python(body["url"])))
    except (ValueError, RecursionError) as error:
        said = "`url` is no address of a page" if isinstance(error, ValidationError) else "the body is neither a form with a file nor valid JSON"
        raise BadInput(f"This cannot be read: {said}.", "Send a form with a `file`, or JSON with a `url`; see /openapi.json.") from error


def _accepted(job: Job) -> JSONResponse:
    return JSONResponse(_job_model(job).model_dump(), status_code=202, headers={"Location": f"/v1/jobs/{job.id}"})


def _job_model(job: Job) -> JobModel:
    error = JobError.model_validate(job.error, from_attributes=True) if job.error else None
    return JobModel(id=job.id, kind=job.kind, status=job.status, done=job.done, total=job.total, document=job.document, error=error)
