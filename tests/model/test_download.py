"""Downloads against a server of our own that can resume, stop short, refuse and ask back."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from stylesdf_core.errors import DownloadError
from stylesdf_core.model.download import RemoteFile, download
from stylesdf_core.progress import drain

CONTENT = bytes(range(256)) * 4096  # 1 MiB
WARNING = """<html><head><title>Virus scan warning</title></head><body>
<form id="download-form" action="/confirmed" method="get">
<input type="hidden" name="id" value="7"><input type="hidden" name="uuid" value="a-b">
</form></body></html>"""


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT in the manner that the path names."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.server.requests.append((url.path, self.headers.get("Range")))  # type: ignore[attr-defined]
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if url.path == "/warning":
            self.page(200, WARNING)
        elif url.path == "/confirmed":
            assert parse_qs(url.query) == {"id": ["7"], "uuid": ["a-b"]}
            self.content(CONTENT, start)
        elif url.path == "/quota":
            self.page(200, "<title>Quota exceeded</title>")
        elif url.path == "/short":
            self.content(CONTENT, start, stop=len(CONTENT) // 3)
        elif url.path == "/wrong":
            self.content(CONTENT[::-1], start)
        elif url.path == "/long":
            self.content(CONTENT + b"x", start)
        elif url.path == "/plain":  # a server that cannot resume
            self.content(CONTENT, 0)
        elif url.path == "/unsatisfiable" and start:
            self.send_error(416)
        elif url.path in ("/file", "/unsatisfiable"):
            self.content(CONTENT, start)
        else:
            self.page(404, "<title>nothing here</title>")

    def page(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def content(self, content: bytes, start: int, stop: int | None = None) -> None:
        self.send_response(206 if start else 200)
        if start:
            end = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:stop])

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.requests = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield http
        http.shutdown()
        thread.join()


def remote(server: ThreadingHTTPServer, manner: str) -> RemoteFile:
    url = f"http://127.0.0.1:{server.server_port}/{manner}"
    return RemoteFile(url, len(CONTENT), hashlib.md5(CONTENT).hexdigest())


@pytest.mark.parametrize("manner", ["file", "warning", "plain"])
def test_a_file_arrives_whole(server: ThreadingHTTPServer, tmp_path: Path, manner: str) -> None:
    path = tmp_path / "new" / "weights.pt"
    steps = list(download(remote(server, manner), path))
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert (steps[0].done, steps[-1].done) == (0, len(CONTENT))
    assert {step.total for step in steps} == {len(CONTENT)}


def test_a_fetched_file_is_not_asked_for_again(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    for _ in range(2):
        assert drain(download(remote(server, "file"), path)) == path
    assert len(server.requests) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("manner", ["file", "warning", "plain", "unsatisfiable"])
def test_an_interrupted_download_continues(
    server: ThreadingHTTPServer, tmp_path: Path, manner: str
) -> None:
    path = tmp_path / "weights.pt"
    part = tmp_path / "weights.pt.part"
    steps = download(remote(server, "file"), path)
    for _ in range(3):
        next(steps)
    steps.close()
    have = part.stat().st_size
    assert 0 < have < len(CONTENT)
    assert not path.exists()

    drain(download(remote(server, manner), path))
    assert path.read_bytes() == CONTENT
    assert not part.exists()
    assert (f"/{manner}", f"bytes={have}-") in server.requests  # type: ignore[attr-defined]


def test_a_server_that_stops_short_leaves_a_part_to_continue(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    with pytest.raises(DownloadError, match="run the same command again"):
        drain(download(remote(server, "short"), path))
    assert not path.exists()
    drain(download(remote(server, "file"), path))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("manner", "message"),
    [
        ("wrong", "not the published file"),
        ("long", "not the published file"),
        ("quota", "'Quota exceeded'"),
        ("absent", "answered 404"),
    ],
)
def test_a_bad_answer_leaves_nothing(
    server: ThreadingHTTPServer, tmp_path: Path, manner: str, message: str
) -> None:
    with pytest.raises(DownloadError, match=message):
        drain(download(remote(server, manner), tmp_path / "weights.pt"))
    assert not list(tmp_path.iterdir())


def test_a_damaged_part_does_not_get_the_final_name(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    (tmp_path / "weights.pt.part").write_bytes(b"not what the server sent")
    with pytest.raises(DownloadError, match="not the published file"):
        drain(download(remote(server, "file"), path))
    assert not list(tmp_path.iterdir())


def test_no_connection_is_one_sentence(tmp_path: Path) -> None:
    nobody = RemoteFile("http://127.0.0.1:9/file", 1, "")
    with pytest.raises(DownloadError, match=r"weights\.pt: the connection failed \(.*refused"):
        drain(download(nobody, tmp_path / "weights.pt"))
