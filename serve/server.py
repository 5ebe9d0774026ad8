"""Serving the page until it is stopped."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError, MissingPackageError, SerError, install_command

HOST, PORT = "127.0.0.1", 8765


def serve(
    run: Path | str,
    host: str = HOST,
    port: int = PORT,
    *,
    device: str = "auto",
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve the page of a run until Ctrl-C.

    Args:
        run: its folder.
        host: the address, or name of an address, of this machine that is served.
        port: 0: any that is free.
        device: for the models, as torch names it, or "auto".
        ready: called with the URL when it answers.

    Raises:
        InputError: the run has no models, or the address cannot be served.
        MissingPackageError: the extra is not installed, or a backbone.
        MissingWeightsError: a backbone is not on this machine.
        KeyboardInterrupt: Ctrl-C, after everything was put away.
    """
    try:
        import uvicorn

        from .app import make_app
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("anyio", "starlette", "uvicorn"):
            raise
        raise MissingPackageError(
            f"the page needs {package}; install it with: {install_command('serve')}"
        ) from error
    from ..train.runs.run import Run
    from .desk import Desk
    from .facts import facts_of

    opened = Run.open(run)
    with listening(host, port) as listener:
        desk = Desk(opened, device)
        app = make_app(desk, facts_of(desk), [host])
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        ready(url_of(listener, host))
        uvicorn.Server(config).run(sockets=[listener])


def listening(host: str, port: int) -> socket.socket:
    """A socket that connections can be made to.

    Raises:
        InputError: there is no such address on this machine, or the port is taken.
    """
    if not host:
        raise InputError("--host: is empty")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise _unservable(host, port, error) from error


def _unservable(host: str, port: int, error: OSError) -> SerError:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return InputError(f"--host {host}: expected an address of this machine, such as {HOST}")
    if error.errno == errno.EADDRINUSE:
        return InputError(
            f"--port {port}: another program listens there; give another, or 0 for any that is free"
        )
    if error.errno == errno.EACCES:
        return InputError(f"--port {port}: this user may not listen there; give one from 1024 on")
    return SerError(f"--host {host} --port {port}: {error.strerror or error}")


def url_of(listener: socket.socket, host: str) -> str:
    """Where a browser finds what listens."""
    address, port = listener.getsockname()[:2]
    if ipaddress.ip_address(address).is_unspecified:
        host = socket.gethostname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def is_open(host: str) -> bool:
    """Whether others than this machine reach what is served there."""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return not all(ipaddress.ip_address(each[4][0]).is_loopback for each in found)
