"""Download of one published file: resumed where it stopped, verified by size and digest.

The model zoo (:mod:`.model_zoo`) lists the files. The library pooch would not do: it neither
resumes a download nor passes Google Drive's warning page with a byte range.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from stylesdf_core.errors import DownloadError
from stylesdf_core.progress import Operation, Progress

if TYPE_CHECKING:
    import requests  # otherwise imported with the first download: a tenth of a second

_TIMEOUT = (15.0, 60.0)  # seconds to connect, and between two chunks
_CHUNK = 1 << 18  # bytes


@dataclass(frozen=True)
class RemoteFile:
    """A file on the network.

    Attributes:
        url: address that answers with the file, or with Google Drive's "download anyway" page.
        size: bytes.
        md5: hexadecimal digest, where the publisher gives this one.
        sha256: hexadecimal digest, where the publisher gives this one.
    """

    url: str
    size: int
    md5: str = ""
    sha256: str = ""

    @property
    def digest(self) -> tuple[str, str]:
        """Name of the digest's algorithm, and the digest."""
        return ("sha256", self.sha256) if self.sha256 else ("md5", self.md5)


def download(remote: RemoteFile, path: Path) -> Operation[Path]:
    """Fetch ``remote`` to ``path``, yielding Progress in bytes; the result is ``path``.

    Bytes arrive in ``<path>.part``, which a later call continues; only a file of the right size
    and digest is renamed to ``path``. A ``path`` of the right size is left as it is.

    Raises:
        DownloadError: no connection, a refusal, a download cut short (the bytes that arrived are
            kept), or another file than the published one.
    """
    import requests

    if path.is_file() and path.stat().st_size == remote.size:
        return path
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield from _receive(remote, part)
        _verify(remote, part, path.name)
        os.replace(part, path)
    except requests.RequestException as error:
        raise DownloadError(
            f"{path.name}: the connection failed ({_reason(error)}); the bytes received are kept, "
            "so run the same command again to continue."
        ) from error
    except OSError as error:
        raise DownloadError(f"Cannot write {part}: {error.strerror or error}.") from error
    return path


def _receive(remote: RemoteFile, part: Path) -> Operation[None]:
    """Complete ``part``: from its end where the server can resume, else from the beginning."""
    have = part.stat().st_size if part.exists() else 0
    if have == remote.size:
        return
    if have > remote.size:
        have = 0
    import requests

    with requests.Session() as session, _open(session, remote, have, part.stem) as response:
        resumed = response.status_code == HTTPStatus.PARTIAL_CONTENT
        if not resumed:
            have = 0
        message = f"downloading {part.stem}"
        yield Progress(have, remote.size, message)
        with open(part, "ab" if resumed else "wb") as stream:
            for chunk in response.iter_content(_CHUNK):
                stream.write(chunk)
                have += len(chunk)
                if have > remote.size:
                    break  # another file than the published one: _verify says so
                yield Progress(have, remote.size, message)
            stream.flush()
            os.fsync(stream.fileno())
    if have < remote.size:
        raise DownloadError(
            f"{part.stem}: the server stopped after {have:,} of {remote.size:,} bytes; "
            "run the same command again to continue."
        )


def _open(
    session: requests.Session, remote: RemoteFile, start: int, name: str
) -> requests.Response:
    """The server's answer: the file's bytes from ``start`` on, past Google Drive's warning page."""
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    response = session.get(remote.url, headers=headers, stream=True, timeout=_TIMEOUT)
    if response.ok and _is_page(response):
        form = _Form(response.text)
        if form.action is not None:
            target = urljoin(response.url, form.action)
            response = session.get(
                target, params=form.fields, headers=headers, stream=True, timeout=_TIMEOUT
            )
    if start and not _continues(response, start):
        response.close()
        return _open(session, remote, 0, name)
    if not response.ok:
        problem = f"the server answered {response.status_code} {response.reason}"
    elif _is_page(response):
        problem = f"the server sent a page instead of the file ({_Form(response.text).title!r})"
    else:
        return response
    response.close()
    raise DownloadError(
        f"{name}: {problem}; try again later, or download {remote.url} in a browser "
        "and open that file."
    )


def _continues(response: requests.Response, start: int) -> bool:
    """Whether an answer continues at ``start`` or holds the whole file, not a refused range."""
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        return str(response.headers.get("Content-Range")).startswith(f"bytes {start}-")
    return response.status_code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


def _verify(remote: RemoteFile, part: Path, name: str) -> None:
    size, (algorithm, published) = part.stat().st_size, remote.digest
    with open(part, "rb") as stream:
        found = hashlib.file_digest(stream, algorithm).hexdigest()
    if size == remote.size and found == published:
        return
    part.unlink()
    raise DownloadError(
        f"{name}: the file received is not the published file ({size:,} bytes with {algorithm} "
        f"{found}, expected {remote.size:,} with {published}); it was removed, so try again."
    )


def _is_page(response: requests.Response) -> bool:
    return response.headers.get("Content-Type", "").startswith("text/html")


def _reason(error: requests.RequestException) -> str:
    """The innermost cause of an error that requests has wrapped several times."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


class _Form(HTMLParser):
    """Title, first form's action and hidden fields of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.title = ""
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self._in_title = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._in_title = tag == "title"
        if tag == "form" and self.action is None:
            self.action = values.get("action")
        elif tag == "input" and self.action is not None and values.get("name"):
            self.fields[str(values["name"])] = values.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data.strip()
