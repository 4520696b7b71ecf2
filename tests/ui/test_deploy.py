"""What `deploy/` describes, run by hand: a Chroma server, two servers of hkai on one folder, and the proxy before them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from assistant.settings import Settings
from tests.hkai_process import ROOT, UNTIL_READY, Server, environment, free_port
from ui.guard import new_key

DEPLOY = ROOT / "deploy"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
KEY, ENTRY = new_key("test", "write")
HEADERS = {"X-API-Key": KEY}
RARE = "Vexqorare"
DOCUMENT = f"The {RARE} observatory of Kwun Tong opened in 2031. It holds 77 telescopes."
QUESTION = {"question": f"In my document, when did the {RARE} observatory of Kwun Tong open?"}
SCHEME = {"question": "What does the AI Subsidy Scheme pay for?"}


@dataclass
class Pair:
    """Two servers and the proxy before them; `url` is the proxy's."""

    servers: list[Server]
    url: str

    def client(self, number: int | None = None) -> httpx.Client:
        """A client of one server, or of the proxy."""
        return httpx.Client(base_url=self.url if number is None else self.servers[number].url, headers=HEADERS, trust_env=False, timeout=60)


def _run(stack: ExitStack, command: list[str], log: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    file = stack.enter_context(log.open("ab"))
    process = subprocess.Popen(command, cwd=log.parent, env=env, stdout=file, stderr=subprocess.STDOUT)
    stack.callback(process.wait, 30)
    stack.callback(process.terminate)
    return process


def _serve(stack: ExitStack, folder: Path, port: int, chroma: str) -> Server:
    log = folder / f"{port}.log"
    settings = {"HKAI_CHROMA": chroma, "HKAI_API_KEYS": ENTRY, "HKAI_LOG": "json", "HKAI_JUDGE": "off", "HKAI_RATE_LIMIT": "off", "HKAI_PORT": str(port)}
    command = [sys.executable, "-c", "from ui.cli import main; main()", "serve"]
    return Server(f"http://127.0.0.1:{port}", folder / "data", log, _run(stack, command, log, environment(folder / "data", **settings)))


def _proxied(folder: Path, places: dict[str, str]) -> Path:
    """The proxy's configuration, what it writes in `folder`."""
    server = (DEPLOY / "hkai.conf.template").read_text(encoding="utf-8")
    for name, place in places.items():
        server = server.replace(f"${{{name}}}", place)
    kept = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    whole = folder / "nginx.conf"
    whole.write_text(f"daemon off;\npid {folder}/nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{kept}{server}}}\n", encoding="utf-8")
    return whole


@contextmanager
def _running(folder: Path) -> Iterator[Pair]:
    """All of it, ready; without nginx, which CI always has, `url` is that of the server which lives on."""
    with ExitStack() as stack:
        ports = [free_port() for _ in range(4)]
        chroma = f"http://127.0.0.1:{ports[0]}"
        tool = str(Path(sys.executable).parent / "chroma")
        _run(stack, [tool, "run", "--path", str(folder / "chroma"), "--port", str(ports[0])], folder / "chroma.log", environment(folder))
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if httpx.get(f"{chroma}/api/v2/heartbeat", trust_env=False).is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        servers = [_serve(stack, folder, port, chroma) for port in ports[1:3]]
        url = servers[0].url
        if NGINX or os.environ.get("CI") == "true":
            url = f"http://127.0.0.1:{ports[3]}"
            places = {"HKAI_BIND": f"127.0.0.1:{ports[3]}", "HKAI_1": f"127.0.0.1:{ports[1]}", "HKAI_2": f"127.0.0.1:{ports[2]}"}
            _run(stack, [NGINX or "nginx", "-p", str(folder), "-c", str(_proxied(folder, places)), "-e", "stderr"], folder / "proxy.log", environment(folder))
        for server in servers:
            server.wait("/readyz", UNTIL_READY)
        pair = Pair(servers, url)
        Server(url, folder, servers[0].log, servers[0].process).wait("/readyz", 30)
        yield pair


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with _running(tmp_path_factory.mktemp("deployed")) as running:
        yield running


def _done(client: httpx.Client, accepted: httpx.Response) -> str:
    assert accepted.status_code == 202, accepted.text
    end = time.monotonic() + 180
    while time.monotonic() < end:
        job = client.get(accepted.headers["location"]).json()
        if job["status"] in ("done", "failed"):
            assert job["error"] is None
            return str(job["document"])
        time.sleep(0.1)
    raise AssertionError("the job did not end")


def test_a_document_added_through_one_is_answered_by_the_other_until_it_is_deleted(pair: Pair) -> None:
    with pair.client(0) as first, pair.client(1) as second, pair.client() as proxy:
        assert second.post("/v1/answer", json=SCHEME).json()["status"] == "answered"
        identifier = _done(first, first.post("/v1/documents", files={"file": ("observatory.txt", DOCUMENT.encode())}))
        for path in ("texts", "documents"):
            assert second.get(f"/v1/{path}/{identifier}").status_code == 200
        for client in (second, first, proxy):
            answer = client.post("/v1/answer", json=QUESTION).json()
            assert answer["citations"][0]["text_id"] == identifier
            assert "2031" in answer["answer"]
        _done(proxy, proxy.delete(f"/v1/documents/{identifier}"))
        for client in (first, second):
            assert client.get(f"/v1/texts/{identifier}").status_code == 404
        for client in (first, second, proxy):
            assert "telescopes" not in client.post("/v1/answer", json=QUESTION).text
            assert client.get(f"/v1/documents/{identifier}").status_code == 404
            assert client.post("/v1/answer", json=SCHEME).json()["status"] == "answered"
    files = [file for file in pair.servers[0].data.rglob("*") if file.is_file() and file.name != "library.lock"]
    assert [file for file in files if RARE.lower().encode() in file.read_bytes().lower()] == []


def test_what_the_log_holds_is_json_without_questions(pair: Pair) -> None:
    with pair.client(0) as client:
        client.post("/v1/answer", json=QUESTION, headers={"X-Request-ID": "by-hand"})
    end, request = time.monotonic() + 30, None
    while request is None:  # a request is logged when its reply has gone
        assert time.monotonic() < end
        written = pair.servers[0].log.read_text(encoding="utf-8")
        lines = [json.loads(line) for line in written.splitlines(keepends=True) if line.startswith("{") and line.endswith("\n")]
        request = next((line for line in lines if line["event"] == "request" and line["request_id"] == "by-hand"), None)
    assert (request["route"], request["status"]) == ("/v1/answer", 200)
    assert RARE not in json.dumps([line for line in lines if line["event"] == "answer"])


@pytest.mark.parametrize("seconds", [9, pytest.param(600, marks=pytest.mark.soak)])
def test_one_server_is_killed_under_load_and_no_question_fails(pair: Pair, seconds: int) -> None:
    failed: list[str] = []
    answered: list[float] = []
    end = time.monotonic() + seconds

    def ask() -> None:
        with pair.client() as proxy:
            while time.monotonic() < end:
                try:
                    reply = proxy.post("/v1/answer", json=SCHEME)
                except httpx.TransportError as error:
                    failed.append(repr(error))
                    continue
                if reply.status_code != 200 or reply.json()["status"] != "answered":
                    failed.append(reply.text[:200])
                answered.append(time.monotonic())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    survivor = psutil.Process(pair.servers[0].process.pid)
    time.sleep(seconds / 3)
    before = survivor.memory_info().rss
    pair.servers[1].process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sum(at > killed for at in answered) >= 10
    if seconds > 60:
        assert survivor.memory_info().rss < 1.03 * before


# What the files say


def test_the_compose_file_sets_only_settings_that_exist_and_keeps_the_servers_in_bounds() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert {"hkai-1", "hkai-2", "chroma", "proxy"} <= set(services)
    known = {f"HKAI_{name.upper()}" for name in Settings.model_fields}
    for name in ("hkai-1", "hkai-2"):
        assert {setting for setting in services[name]["environment"] if setting.startswith("HKAI_")} <= known
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["volumes"] == ["data:/data"]


def test_the_image_is_not_root_has_a_health_check_and_copies_what_there_is() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER 10001$", lines, re.MULTILINE)
    assert "HEALTHCHECK" in lines
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", lines, re.MULTILINE):
        assert all((ROOT / name).exists() for name in copied.split())
    known = {f"HKAI_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bHKAI_\w+", lines)) <= known


def test_chroma_in_the_compose_file_is_the_one_that_is_installed() -> None:
    pinned = dict(re.findall(r"^(chromadb)==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
    assert f"chromadb/chroma:{pinned['chromadb']}" in (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
