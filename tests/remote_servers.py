"""Places to share with, as real servers on 127.0.0.1: the web, SFTP, S3; and a line that fails."""

from __future__ import annotations

import getpass
import logging
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

SSHD = shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
needs_sshd = pytest.mark.skipif(SSHD is None, reason="no OpenSSH server is installed")


class Line:
    """A TCP line to a server that can be made to fail.

    Attributes:
        port: where it is entered.
        cuts: bytes from the server after which a connection is cut, for each in turn.
        flips: as `cuts`, bytes after which one bit is turned.
        stalls: as `cuts`, bytes after which nothing comes any more.
        passed: bytes that came from the server, and `sent` to it.
        breaks_at: bytes both ways, over all connections, at which it breaks.
        broken: whether it cuts every connection.
    """

    def __init__(self, target: int) -> None:
        self.cuts: list[int] = []
        self.flips: list[int] = []
        self.stalls: list[int] = []
        self.passed = self.sent = 0
        self.breaks_at: int | None = None
        self.broken = False
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def cut(self) -> None:
        """Cut all connections; new ones come through."""
        while self._open:
            with suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def _break_if_due(self) -> None:
        if self.breaks_at is not None and self.passed + self.sent >= self.breaks_at:
            self.breaks_at, self.broken = None, True
            self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            for each in (client, server):  # else small packets wait for one another
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open += [client, server]
            if self.broken:
                client.close()
                server.close()
                continue
            threading.Thread(target=self._pass, args=(client, server), daemon=True).start()
            threading.Thread(target=self._back, args=(server, client), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                self.sent += len(data)
                self._break_if_due()
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        count = 0
        with suppress(OSError):
            while data := server.recv(1 << 16):
                before, count = count, count + len(data)
                if self.flips and count > self.flips[0]:
                    at = max(0, self.flips.pop(0) - before)
                    data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
                if self.stalls and count > self.stalls[0]:
                    self.stalls.pop(0)
                    return  # the sockets stay open
                if self.cuts and count > self.cuts[0]:
                    client.sendall(data[: max(0, self.cuts.pop(0) - before)])
                    break
                client.sendall(data)
                self.passed += len(data)
                self._break_if_due()
        for each in (client, server):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line to a server on this machine."""
    line = Line(port)
    try:
        yield line
    finally:
        line.close()


class Web:
    """A web server that gives out a folder and lists its folders, as nginx and Apache can.

    Attributes:
        fail: status codes that are answered in turn before anything else.
        lie: added to the length that is said of a file.
        login: the Authorization header that is asked for.
        asked: what was asked for: (path, Range).
    """

    def __init__(self, folder: Path) -> None:
        self.fail: list[int] = []
        self.lie = 0
        self.login: str | None = None
        self.asked: list[tuple[str, str | None]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Answers, self, folder))
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Answers(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, web: Web, folder: Path, *args: object) -> None:
        self._web = web
        super().__init__(*args, directory=str(folder))

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        web, span = self._web, self.headers.get("Range")
        web.asked.append((self.path, span))
        if web.fail:
            return self._plain(web.fail.pop(0))
        if web.login is not None and self.headers.get("Authorization") != web.login:
            return self._plain(401)
        path = Path(self.translate_path(unquote(self.path)))
        if not path.is_file():
            return super().do_GET()
        data = path.read_bytes()
        tag = f'"{path.stat().st_mtime_ns:x}"'
        start, stop = 0, len(data)
        if span and self.headers.get("If-Range") in (None, tag):
            first, _, last = span.removeprefix("bytes=").partition("-")
            start, stop = int(first), min(int(last) + 1 if last else stop, stop)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data) + web.lie}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(stop - start + web.lie))
        self.send_header("ETag", tag)
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(data[start:stop])
        if web.lie:
            self.close_connection = True
        return None

    def _plain(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def web_of(folder: Path) -> Iterator[Web]:
    """A web server of a folder."""
    web = Web(folder)
    try:
        yield web
    finally:
        web.close()


@contextmanager
def sftp_server(home: Path) -> Iterator[tuple[int, Callable[[int], None]]]:
    """An OpenSSH server for this user, and `home` as his home: `.ssh` knows it as `team`.

    Yields:
        Its port, and a function that has `team` mean another port.
    """
    assert SSHD is not None
    ssh = home / ".ssh"
    ssh.mkdir(parents=True, mode=0o700)
    for name in ("host", "id"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(ssh / name)], check=True
        )
    shutil.copy(ssh / "id.pub", ssh / "authorized")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = ssh / "sshd"
    settings.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {ssh}/host\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {ssh}/authorized\nPidFile none\nSubsystem sftp internal-sftp\n"
    )
    (ssh / "known").write_text(f"team {(ssh / 'host.pub').read_text()}")

    def reach(number: int) -> None:
        (ssh / "config").write_text(
            f"Host team\n  HostName 127.0.0.1\n  HostKeyAlias team\n  Port {number}\n"
            f"  User {getpass.getuser()}\n  IdentityFile {ssh}/id\n"
            f"  UserKnownHostsFile {ssh}/known\n"
        )

    reach(port)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where the server of a system keeps it
    server = subprocess.Popen([SSHD, "-f", str(settings), "-D", "-e"], stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield port, reach
    finally:
        server.terminate()
        server.wait(10)


@contextmanager
def s3_server() -> Iterator[int]:
    """An S3 server; yields its port. Any keys are right."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()[1]
    finally:
        server.stop()


@contextmanager
def s3_bucket(patch: pytest.MonkeyPatch, name: str) -> Iterator[Any]:
    """An S3 server with a bucket that every S3 client finds by the environment; yields a client."""
    import boto3

    with s3_server() as port:
        patch.setenv("AWS_ACCESS_KEY_ID", "someone")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-someone")
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=name)
        yield client


def _wait_for(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("the server does not answer")
