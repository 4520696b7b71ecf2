"""A PostgreSQL of the tests' own: a private folder and port, run by a user who is not root."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.hkai_process import free_port

PLACES = [os.environ.get("PATH", ""), *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)]


def postgres_binary(name: str = "initdb") -> str:
    """A program of PostgreSQL's; empty where it is not installed."""
    return shutil.which(name, path=os.pathsep.join(PLACES)) or ""


@dataclass(frozen=True)
class Postgres:
    """A running server; each test takes a database of its own."""

    port: int
    password: str

    def url(self, database: str) -> str:
        return f"postgresql://hkai:{self.password}@127.0.0.1:{self.port}/{database}"

    def database(self, options: str = "") -> str:
        """The URL of a new, empty database."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} {options}".encode())
        return self.url(name)

    def cut_off(self) -> None:
        """Ends every other connection, as a server does that is started anew."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """PostgreSQL in a folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="hkai-postgres-"))
    server = Postgres(free_port(), secrets.token_urlsafe(12))
    (folder / "password").write_text(server.password, encoding="utf-8")
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        for path in (folder, folder / "password"):
            shutil.chown(path, user)

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=folder, user=user, extra_groups=[] if user else None, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}{log.read_text(encoding='utf-8') if log.exists() else ''}"

    log, data = folder / "log", folder / "data"
    try:
        run(
            postgres_binary(), "--pgdata", str(data), "--username", "hkai", "--pwfile", str(folder / "password"),
            "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync",
        )  # fmt: skip
        options = f"-p {server.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        # Its log is a file: a pipe would be held open by the server.
        run(postgres_binary("pg_ctl"), "--pgdata", str(data), "--log", str(log), "--wait", "--options", options, "start")
        try:
            yield server
        finally:
            run(postgres_binary("pg_ctl"), "--pgdata", str(data), "--mode", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
