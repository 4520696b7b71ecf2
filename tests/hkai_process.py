"""`hkai` as a user runs it: processes of its own, a folder of its own, and no way out to the network."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent
UNTIL_READY = 900


def clean(environment: dict[str, str]) -> dict[str, str]:
    """`environment` without what would set up hkai, a model or a proxy, and with the hub switched off."""
    kept = {
        name: value
        for name, value in environment.items()
        if name.startswith("HKAI_TEST_") or not (name.startswith(("HKAI_", "OPENAI_")) or name == "PORT" or name.lower().endswith("_proxy"))
    }
    return kept | {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TOKENIZERS_PARALLELISM": "false"}


def environment(data: Path, **more: str) -> dict[str, str]:
    """The environment of a process: its data in `data`, every other host behind a proxy that is not there."""
    closed = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1,localhost"}
    return clean(dict(os.environ)) | closed | {"HKAI_DATA": str(data), "PYTHONPATH": str(ROOT), "COLUMNS": "200"} | more


def hkai(*arguments: str, data: Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    command = [sys.executable, "-c", "from ui.cli import main; main()", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment(data, **more), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=UNTIL_READY, check=False
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A running `hkai serve`."""

    url: str
    data: Path
    log: Path
    process: subprocess.Popen[bytes]

    def wait(self, path: str, seconds: float) -> None:
        """Returns when `path` is answered with 200."""
        end = time.monotonic() + seconds
        with httpx.Client(base_url=self.url, timeout=10, trust_env=False) as client:
            while time.monotonic() < end:
                assert self.process.poll() is None, f"the server ended: {self.log.read_text(encoding='utf-8')[-3000:]}"
                try:
                    if client.get(path).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                time.sleep(0.2)
        raise AssertionError(f"{path} was not answered with 200 within {seconds:g} s: {self.log.read_text(encoding='utf-8')[-3000:]}")


def copied(data: Path, folder: Path) -> Path:
    """A copy of a data folder in `folder`, to be changed; the model in it, which is not, is linked."""
    ignored = shutil.ignore_patterns("models", "*.lock", "conversations.db*")
    shutil.copytree(data, folder / "data", ignore=ignored)
    (data / "models").mkdir(exist_ok=True)
    (folder / "data" / "models").symlink_to((data / "models").resolve())
    return folder / "data"


@contextmanager
def serving(folder: Path, **more: str) -> Iterator[Server]:
    """A server on the data in `folder`, or on a new index there, just started."""
    port = free_port()
    log = folder / "server.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", "from ui.cli import main; main()", "serve", "--port", str(port)],
            cwd=folder, env=environment(folder / "data", **more), stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield Server(f"http://127.0.0.1:{port}", folder / "data", log, process)
    finally:
        process.terminate()
        process.wait(30)
