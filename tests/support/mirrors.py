"""Mirrors on this machine that serve a tiny data set, well or in every bad manner."""

from __future__ import annotations

import gzip
import hashlib
import socket
import struct
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from idx_files import idx_bytes

from sgdni.data.entries import IdxEntry
from sgdni.data.idx import IdxFile

TIMEOUT = 0.4  # seconds until a slow mirror is given up
PATIENCE = 10.0  # seconds, for mirrors that fail or succeed at once


def make_contents() -> dict[str, bytes]:
    """Return a tiny data set: the unpacked content of each file, by array."""
    rng = np.random.default_rng(0)
    return {
        "x_train": idx_bytes(rng.integers(0, 256, (30, 8, 8), dtype=np.uint8)),
        "y_train": idx_bytes(rng.integers(0, 3, 30, dtype=np.uint8)),
        "x_test": idx_bytes(rng.integers(0, 256, (20, 8, 8), dtype=np.uint8)),
        "y_test": idx_bytes(rng.integers(0, 3, 20, dtype=np.uint8)),
    }


CONTENTS = make_contents()
SHAPES = {"x_train": (30, 8, 8), "y_train": (30,), "x_test": (20, 8, 8), "y_test": (20,)}
GOOD = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in CONTENTS.items()}
ENTRY = IdxEntry(
    name="tiny",
    files={
        name: IdxFile(name, SHAPES[name], hashlib.sha256(content).hexdigest())
        for name, content in CONTENTS.items()
    },
    n_classes=3,
    target_accuracy=None,
    mirrors=(),
)


class Mirror(BaseHTTPRequestHandler):
    """Serves each file at /<behaviour>/<file>, in the manner that the behaviour names."""

    def do_GET(self):
        _, behaviour, name = self.path.split("/")
        self.server.requests.append((behaviour, name))
        getattr(self, behaviour)(GOOD[name])

    def answer(self, body: bytes, length: int | None = None, status: int = 200) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def good(self, body):
        self.answer(body, len(body))

    def good_without_length(self, body):
        self.answer(body)

    def lingering(self, body):
        """Keep the connection open when all has been sent."""
        self.answer(body, len(body))
        self.server.closing.wait(PATIENCE)

    def unpacked(self, body):
        content = gzip.decompress(body)
        self.answer(content, len(content))

    def missing(self, body):
        self.send_error(404)

    def truncated(self, body):
        self.answer(body[:-20], len(body))

    def truncated_without_length(self, body):
        self.answer(body[:-20])

    def corrupt(self, body):
        middle = len(body) // 2
        self.answer(body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :], len(body))

    def other_values(self, body):
        content = bytearray(gzip.decompress(body))
        content[-1] ^= 1
        body = gzip.compress(content)
        self.answer(body, len(body))

    def login_page(self, body):
        self.answer(b"<html>Please log in.</html>", 27)

    def endless(self, body):
        self.answer(body)
        while not self.server.closing.is_set():
            self.wfile.write(bytes(1 << 16))

    def reset(self, body):
        self.answer(body[:10], len(body))
        # Closing a socket that lingers for zero seconds sends a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def silent(self, body):
        self.server.closing.wait(PATIENCE)

    def stalled(self, body):
        self.answer(body[:10], len(body))
        self.server.closing.wait(PATIENCE)

    def dripping(self, body):
        self.answer(b"", len(body))
        for position in range(len(body)):
            self.wfile.write(body[position : position + 1])
            if self.server.closing.wait(TIMEOUT / 10):
                return

    def steady(self, body):
        """Take longer than the timeout, but keep sending about 2.5 kB per second."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for begin in range(0, len(body), 250):
            self.wfile.write(body[begin : begin + 250])
            time.sleep(TIMEOUT / 4)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients hang up on bad mirrors; that is what these tests are about."""


@dataclass
class Site:
    """The server's address and what it was asked for: (behaviour, file) pairs."""

    address: str
    requests: list[tuple[str, str]] = field(default_factory=list)

    def mirrors(self, *behaviours: str) -> tuple[str, ...]:
        return tuple(f"{self.address}/{behaviour}/" for behaviour in behaviours)
