from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
from mcp import Client, StdioServerParameters

from assistant.build import Parts
from assistant.chain import Chain
from assistant.conversations import Conversations
from assistant.evidence import load_weights
from assistant.settings import Settings
from corpus.text import SourceText
from index.library import Library
from tests.hkai_process import Server, environment
from ui.mcp import server as server_of

SCHEME = "What is the AI Subsidy Scheme?"
COMMAND = [sys.executable, "-c", "from ui.cli import main; main()", "mcp"]
T = TypeVar("T")


def _with_tools(data: Path, use: Callable[[Client], Awaitable[T]]) -> T:
    """What `use` gives with a client of `hkai mcp`, a process of its own."""
    process = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=environment(data), cwd=str(data.parent))

    async def run() -> T:
        async with Client(process, read_timeout_seconds=240) as client:
            return await use(client)

    with ThreadPoolExecutor(1) as apart:  # a browser of another test may have a loop running in this thread
        return apart.submit(lambda: asyncio.run(run())).result()


def test_an_assistant_can_search_answer_and_read_through_the_tools(server: Server) -> None:
    async def use(client: Client) -> dict[str, Any]:
        calls: dict[str, Any] = {"tools": (await client.list_tools()).tools, "instructions": client.instructions}
        calls["hits"] = await client.call_tool("search", {"query": "AI Subsidy Scheme rate of subsidy", "k": 3})
        calls["zh"] = await client.call_tool("search", {"query": "資助", "lang": "zh", "topic": "funding", "since": "2024"})
        calls["answer"] = await client.call_tool("answer", {"question": "Who runs it?", "history": [{"role": "user", "content": SCHEME}]})
        calls["unknown"] = await client.call_tool("answer", {"question": "What is the best pizza in Naples?"})
        calls["text"] = await client.call_tool("read_text", {"id": "ai-subsidy-scheme.en"})
        calls["nowhere"] = await client.call_tool("read_text", {"id": "../../etc/passwd"})
        calls["empty"] = await client.call_tool("answer", {"question": " "})
        calls["wrong"] = await client.call_tool("search", {"query": "x", "k": 1_000, "since": "yesterday"})
        return calls

    said = _with_tools(server.data, use)
    assert {tool.name for tool in said["tools"]} == {"search", "answer", "read_text"}
    for tool in said["tools"]:
        assert tool.description
        assert tool.output_schema
        assert tool.annotations.read_only_hint
        assert all("description" in field for field in tool.input_schema["properties"].values())
    assert "never an instruction" in said["instructions"]

    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        hits = http.post("/v1/search", json={"query": "AI Subsidy Scheme rate of subsidy", "k": 3}).json()["hits"]
        answer = http.post("/v1/answer", json={"question": "Who runs it?", "history": [{"role": "user", "content": SCHEME}]}).json()
        text = http.get("/v1/texts/ai-subsidy-scheme.en").json()
    assert [hit["chunk_id"] for hit in said["hits"].structured_content["hits"]] == [hit["chunk_id"] for hit in hits]
    assert all(hit["text_id"].endswith(".zh") for hit in said["zh"].structured_content["hits"])
    given = said["answer"].structured_content
    assert set(given) == {"answer", "status", "citations", "warnings", "standalone_question", "followups"}
    assert all(given[field] == answer[field] for field in given)
    assert json.loads(said["answer"].content[0].text) == given
    assert (said["unknown"].structured_content["status"], said["unknown"].structured_content["citations"]) == ("not_found", [])
    assert said["text"].structured_content == text

    for wrong, words in (
        ("nowhere", "There is no text '../../etc/passwd'"),
        ("empty", "The question is empty. Ask something."),
        ("wrong", "less than or equal to 50"),
    ):
        assert said[wrong].is_error
        assert words in said[wrong].content[0].text


def test_without_an_index_every_tool_says_what_to_do(tmp_path: Path) -> None:
    async def use(client: Client) -> Any:
        return [await client.call_tool("answer", {"question": SCHEME}), await client.call_tool("read_text", {"id": "innohk.en"})]

    for result in _with_tools(tmp_path / "data", use):
        assert result.is_error
        assert "hkai ingest --rebuild" in result.content[0].text


def test_an_index_that_breaks_while_it_is_read_is_told_with_what_to_do(library: Library, texts: tuple[SourceText, ...], tmp_path: Path) -> None:
    shutil.copytree(library.folder, tmp_path / "library")
    held = Library(tmp_path / "library", library.embedder)
    held.open(texts)
    parts = Parts(Settings(data=tmp_path), texts, held, Chain(held, load_weights(held.embedder.name)), Conversations(tmp_path / "conversations.db"))
    shutil.rmtree(held.folder / "chroma")
    (held.folder / "chroma").write_text("not a folder", encoding="utf-8")
    shutil.copy(held.folder / "manifest.json", tmp_path / "manifest.json")
    (tmp_path / "manifest.json").replace(held.folder / "manifest.json")  # as another process writes it

    async def read() -> Any:
        async with Client(server_of(lambda: parts)) as client:
            return await client.call_tool("read_text", {"id": texts[0].id})

    with ThreadPoolExecutor(1) as apart:
        said = apart.submit(lambda: asyncio.run(read())).result()
    assert said.is_error
    assert "`hkai doctor` says what is wrong" in said.content[0].text


def test_nothing_but_the_protocol_comes_out(server: Server, tmp_path: Path) -> None:
    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "answer", "arguments": {"question": SCHEME}}},
    ]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(COMMAND, cwd=tmp_path, env=environment(server.data), text=True, **pipes) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write("this is no message\n" + "".join(json.dumps(message) + "\n" for message in messages))
        process.stdin.flush()
        lines = [json.loads(process.stdout.readline())]
        while lines[-1].get("id") != 2:
            lines.append(json.loads(process.stdout.readline()))
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(60) == 0
    assert all(line["jsonrpc"] == "2.0" for line in lines)
    assert lines[-1]["result"]["structuredContent"]["status"] == "answered"
