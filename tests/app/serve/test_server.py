"""The browser view with visitors that speak viser's protocol, without a browser."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("viser", reason="needs the extra serve")

import msgspec
import viser
import zstandard
from viser import _messages as messages
from websockets.sync.client import connect

from app.serve import server as server_module
from app.serve.server import BrowserServer
from app.serve.visitor import Visitor
from stylesdf_core.errors import InputError
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene
from tests.waiting import wait_until


class Browser:
    """What a browser does: it says where its camera is, and receives messages."""

    def __init__(self, server: BrowserServer) -> None:
        self._server = server
        protocol: Any = f"viser-v{viser.__version__}"
        self._socket = connect(
            server.url.replace("http", "ws"), subprotocols=[protocol], max_size=None
        )
        self.received: list[dict[str, Any]] = []
        before = set(server.visitors)
        self.turn((0.0, 0.0, 1.0))
        self.wait(lambda: set(server.visitors) != before)
        (self.id,) = set(server.visitors) - before

    @property
    def visitor(self) -> Visitor:
        return self._server.visitors[self.id]

    def turn(self, position: tuple[float, float, float]) -> None:
        self._send(
            messages.ViewerCameraMessage(
                wxyz=(1.0, 0.0, 0.0, 0.0), position=position, fov=0.2, near=0.01, far=100.0,
                image_height=400, image_width=600, look_at=(0.0, 0.0, 0.0),
                up_direction=(0.0, 1.0, 0.0),
            )
        )  # fmt: skip

    def choose(self, label: str, value: object) -> None:
        """Set a widget's value."""
        (widget,) = [
            message
            for message in self.received
            if message.get("props", {}).get("label") == label and "uuid" in message
        ]
        self._send(messages.GuiUpdateMessage(widget["uuid"], {"value": value}))

    def wait(self, condition: Callable[[], bool]) -> None:
        """Run the server until a condition holds."""

        def step() -> None:
            self._server.step()
            self._receive()

        wait_until(condition, step)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.received if message["type"] == kind]

    def downloaded(self) -> bool:
        return bool(self.of("FileTransferStartDownload"))

    def close(self) -> None:
        self._socket.close()

    def _send(self, message: messages.Message) -> None:
        self._socket.send(msgspec.msgpack.encode(message.as_serializable_dict()))

    def _receive(self) -> None:
        while True:
            try:
                frame = self._socket.recv(timeout=0.001)
            except TimeoutError:
                return
            assert isinstance(frame, bytes)
            length = int.from_bytes(frame[8:16], "little")
            inner = zstandard.decompress(frame[16 : 16 + length])
            self.received += msgspec.msgpack.decode(inner)["messages"]


@pytest.fixture
def server(weights: Path) -> Iterator[BrowserServer]:
    server = BrowserServer("127.0.0.1", 0, Scene(model=str(weights)), "cpu")
    yield server
    server.close()


@pytest.fixture
def browser(server: BrowserServer) -> Iterator[Browser]:
    browser = Browser(server)
    browser.wait(lambda: has_finished(browser.visitor))
    yield browser
    browser.close()


def has_finished(visitor: Visitor) -> bool:
    picture = visitor.workbench.screen.picture
    wanted = visitor.workbench.scene
    is_last = picture is not None and picture.index == picture.passes - 1
    return is_last and picture is not None and picture.request.scene == wanted


def test_the_tab_has_the_program_s_title(browser: Browser) -> None:
    (script,) = browser.of("RunJavascriptMessage")
    assert script["source"] == 'document.title = "StyleSDF Studio";'


def test_a_visitor_sees_a_picture_and_turns_it(browser: Browser) -> None:
    images = len(browser.of("BackgroundImageMessage"))
    assert images > 1
    browser.turn((0.6, 0.0, 0.8))
    workbench = browser.visitor.workbench
    browser.wait(lambda: workbench.scene.camera.azimuth > 0.6 and has_finished(browser.visitor))
    assert workbench.scene.camera.azimuth == pytest.approx(np.arctan2(0.6, 0.8))
    browser.wait(lambda: workbench.document.can_undo and not browser.visitor.is_active)
    assert len(browser.of("BackgroundImageMessage")) > images


def test_controls_change_the_visitor_s_scene_alone(browser: Browser, server: BrowserServer) -> None:
    other = Browser(server)
    browser.wait(lambda: bool(browser.visitor.page._sliders))
    browser.choose("seed", 11)
    browser.choose("truncation ψ", 0.4)
    browser.choose("Smile", 1.5)
    browser.choose("view", "normals")
    scene = browser.visitor.workbench.scene
    browser.wait(lambda: browser.visitor.workbench.settings.view.view == "normals")
    scene = browser.visitor.workbench.scene
    assert (scene.identity.seed, scene.truncation_psi) == (11, 0.4)
    assert scene.identity.edits == (("smile", 1.5),)
    assert other.visitor.workbench.scene.identity.seed == 0
    browser.wait(lambda: has_finished(browser.visitor) and has_finished(other.visitor))
    other.close()
    browser.wait(lambda: len(server.visitors) == 1)


def test_what_one_visitor_does_wrong_is_said_to_that_visitor_and_stops_no_other(
    browser: Browser, server: BrowserServer, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Browser(server)
    other.turn((float("nan"), 0.0, 1.0))
    other.choose("resolution", "no number")
    other.wait(lambda: len(other.of("NotificationShowMessage")) > 2)
    assert "ValueError" in capsys.readouterr().err
    browser.choose("seed", 12)
    browser.wait(lambda: browser.visitor.workbench.scene.identity.seed == 12)
    assert not browser.of("NotificationShowMessage")
    other.close()


def test_a_visitor_who_leaves_lets_no_other_wait_for_an_export(
    browser: Browser, server: BrowserServer
) -> None:
    other, goes_on = Browser(server), threading.Event()

    def export() -> Operation[None]:
        yield Progress(0, 1, "busy")
        goes_on.wait(30.0)

    job = other.visitor.workbench.jobs.submit("export", export)
    browser.wait(lambda: job.message == "busy")
    start = time.monotonic()
    server._leave(other.id)
    assert time.monotonic() - start < 1.0
    goes_on.set()
    other.close()


def test_the_mesh_is_sent_to_the_browser(browser: Browser) -> None:
    browser.choose("resolution", "64")
    browser.choose("view", "mesh")
    browser.wait(lambda: bool(browser.of("GlbMessage")) and not browser.visitor.is_active)
    mesh = browser.visitor.workbench.screen.mesh
    assert mesh is not None
    assert mesh.resolution == 64
    browser.choose("view", "image")
    browser.wait(lambda: bool(browser.of("RemoveSceneNodeMessage")))


@pytest.mark.parametrize("name", ["PNG", "GLB", "Session", "Depth 16-bit"])
def test_exports_come_as_downloads(browser: Browser, name: str) -> None:
    browser.visitor.workbench.change_settings("mesh", resolution=32)
    browser.visitor.download(name)
    browser.wait(browser.downloaded)
    (start,) = browser.of("FileTransferStartDownload")
    suffix = {"Session": ".json", "Depth 16-bit": ".zip"}.get(name, f".{name.lower()}")
    assert start["filename"].startswith("tiny-000000")
    assert start["filename"].endswith(suffix)
    assert start["size_bytes"] > 100


def test_one_visitor_too_many_is_told(
    browser: Browser, server: BrowserServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "MOST_VISITORS", 1)
    monkeypatch.setattr(sys.modules[__name__], "wait_until", partial(wait_until, seconds=1.0))
    with pytest.raises(AssertionError, match="waited too long"):
        Browser(server)
    assert len(server.visitors) == 1


def test_visitors_cannot_share_the_server_with_the_world(server: BrowserServer) -> None:
    assert server._server.request_share_url() is None


def test_an_address_that_cannot_be_used_is_explained(server: BrowserServer, weights: Path) -> None:
    scene = Scene(model=str(weights))
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(InputError, match=f"Port {port} of 127.0.0.1 is in use or not yours"):
        BrowserServer("127.0.0.1", port, scene, "cpu")
    with pytest.raises(InputError, match=r"There is no host 'nowhere\.invalid' to serve on"):
        BrowserServer("nowhere.invalid", 0, scene, "cpu")


def test_without_viser_one_sentence_says_what_to_install(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(InputError, match=r"serve needs viser: pip install 'stylesdf-studio\[serve"):
        BrowserServer("127.0.0.1", 0, Scene(model=str(weights)), "cpu")


def test_a_session_of_a_visitor_opens_anywhere(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    browser.visitor.workbench.save_session(path)
    assert Scene.from_document(json.loads(path.read_text())) == browser.visitor.workbench.scene
