"""A server that keeps what it receives, byte for byte, and answers as a test says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

Fields = list[tuple[str, str]]


@dataclass
class Recorded:
    method: str
    target: str
    fields: Fields
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name]

    def value(self, name: str) -> str | None:
        values = self.values(name)
        return ", ".join(values) if values else None


def answer(status: int = 200, headers: dict[str, str] | None = None, body: bytes = b"ok") -> bytes:
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


@dataclass
class RecordingServer:
    """Answers from `answers` in order, then 200."""

    answers: list[bytes | Callable[[Recorded], bytes]] = field(default_factory=list)
    requests: list[Recorded] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.close()

    def last(self) -> Recorded:
        return self.requests[-1]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while recorded := self._read(stream):
                self.requests.append(recorded)
                reply = self.answers.pop(0) if self.answers else answer()
                reply = reply(recorded) if callable(reply) else reply
                head = reply[: reply.index(b"\r\n\r\n") + 4]
                connection.sendall(head if recorded.method == "HEAD" else reply)

    @staticmethod
    def _read(stream: BinaryIO) -> Recorded | None:
        try:
            line = stream.readline().decode("latin-1").rstrip("\r\n")
            if not line:
                return None
            method, target, _ = line.split(" ")
            fields: Fields = []
            while text := stream.readline().decode("latin-1").rstrip("\r\n"):
                name, _, value = text.partition(":")
                fields.append((name, value.strip(" \t")))
            recorded = Recorded(method, target, fields, b"")
            if recorded.value("transfer-encoding") == "chunked":
                while size := int(stream.readline(), 16):
                    recorded.body += stream.read(size)
                    stream.readline()
                stream.readline()
            else:
                recorded.body = stream.read(int(recorded.value("content-length") or 0))
        except (OSError, ValueError):
            return None  # ended, or no HTTP
        return recorded
