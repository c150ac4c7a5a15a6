"""Refuses every connection that leaves the machine, so that no test can lean on the network unseen."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

LOCAL_NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost"})


class NetworkRefusedError(AssertionError):
    """A test reached for another machine; the message names it."""


def is_local(host: str | bytes | None) -> bool:
    """Whether the host is this machine: no host at all, a loopback address, or a name of it."""
    if host is None:
        return True
    name = (host.decode("ascii", "replace") if isinstance(host, bytes) else host).lower()
    if name in LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    plain = getattr(address, "ipv4_mapped", None) or address
    return plain.is_loopback or plain.is_unspecified


class NetworkGuard:
    """Stands in front of `socket`; `refused` lists the hosts that were asked for, also where a caller hid the error."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def install(self) -> Callable[[], None]:
        """Put the guard before every way in which Python code names a peer; call what comes back to take it away."""
        methods = ("connect", "connect_ex")
        functions = ("getaddrinfo", "gethostbyname", "gethostbyname_ex")
        targets: list[tuple[Any, str, Callable[..., Any]]] = [
            *((socket.socket, name, self._guarded_connect) for name in methods),
            *((socket, name, self._guarded_lookup) for name in functions),
        ]
        originals = [(owner, name, getattr(owner, name)) for owner, name, _ in targets]
        for (owner, name, guarded), (_, _, original) in zip(targets, originals, strict=True):
            setattr(owner, name, guarded(original))

        def undo() -> None:
            for owner, name, original in originals:
                setattr(owner, name, original)

        return undo

    def _check(self, host: Any) -> None:
        if not is_local(host):
            self.refused.append(str(host))
            raise NetworkRefusedError(f"a test tried to reach {host!r}; tests may talk to this machine only")

    def _guarded_connect(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def connect(sock: socket.socket, address: Any) -> Any:
            if sock.family in (socket.AF_INET, socket.AF_INET6):
                self._check(address[0])
            return original(sock, address)

        return connect

    def _guarded_lookup(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
            self._check(host)
            return original(host, *args, **kwargs)

        return lookup
