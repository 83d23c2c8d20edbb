"""The main loop of the browser view: visitors come and go, their calls run on the main thread."""

from __future__ import annotations

import contextlib
import io
import json
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.serve.visitor import Visitor
from app.workers.concurrency.alarm import Alarm
from app.workers.concurrency.jobs import JobQueue
from app.workers.engine_share import EngineShare
from stylesdf_core.errors import InputError
from stylesdf_core.scene.scene import Scene

if TYPE_CHECKING:
    import viser

TITLE = "StyleSDF Studio"
#: Visitors at a time; each may take some hundred megabytes for meshes and exports.
MOST_VISITORS = 16
_FRAME, _IDLE = 1.0 / 30.0, 0.5  # seconds between two turns of the loop
_BRAND = (106, 163, 255)


class BrowserServer:
    """Serves the studio to browsers until it is closed.

    Args:
        port: 0 for any free port.
        scene: what visitors see first; they share its model.
        device: as in Settings.

    Raises:
        InputError: viser is not installed, or the address cannot be used.
    """

    def __init__(self, host: str, port: int, scene: Scene, device: str) -> None:
        self._scene, self._device = scene, device
        self._share, self._exports = EngineShare(), threading.Lock()
        self._news = Alarm()
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self.visitors: dict[int, Visitor] = {}
        self._leaving: list[threading.Thread] = []
        self._server = _start(host, _usable_port(host, port))
        #: The address for a browser on this machine.
        self.url = f"http://{_in_url(host)}:{self._server.get_port()}"
        server = self._server
        server.scene.set_up_direction("+y")
        server.gui.configure_theme(
            dark_mode=True,
            show_logo=False,
            show_share_button=False,
            brand_color=_BRAND,
        )
        server.gui.main_panel.dock_right()

        @server.on_client_connect
        async def _(client: viser.ClientHandle) -> None:
            self._post(lambda: self._welcome(client))

        @server.on_client_disconnect
        async def _(client: viser.ClientHandle) -> None:
            self._post(lambda: self._leave(client.client_id))

    def step(self) -> None:
        """One turn of the loop: run what browsers have called, show every visitor what is new."""
        self._news.clear()
        while True:
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                break
            call()
        for visitor in list(self.visitors.values()):
            visitor.tick()
        is_active = any(visitor.is_active for visitor in self.visitors.values())
        time.sleep(_FRAME)
        if not is_active:
            self._news.wait(_IDLE)

    def close(self) -> None:
        """End the server and its visitors."""
        with contextlib.redirect_stdout(io.StringIO()):
            self._server.stop()
        for client in list(self.visitors):
            self._leave(client)
        for thread in self._leaving:
            thread.join()

    def _post(self, call: Callable[[], object]) -> None:
        self._calls.put(call)
        self._news.set()

    def _welcome(self, client: viser.ClientHandle) -> None:
        if len(self.visitors) >= MOST_VISITORS:
            text = f"{MOST_VISITORS} visitors are here already; come back later."
            client.add_notification(TITLE, text, color="red")
            return
        jobs = JobQueue(self._exports)
        self.visitors[client.client_id] = Visitor(
            client, self._scene, self._device, self._share, jobs, self._news, self._post
        )

    def _leave(self, client: int) -> None:
        """Close a visitor, in a thread: the others need not wait for a worker's present step."""
        visitor = self.visitors.pop(client, None)
        if visitor is not None:
            self._leaving = [thread for thread in self._leaving if thread.is_alive()]
            self._leaving.append(threading.Thread(target=visitor.close, name="leaving"))
            self._leaving[-1].start()


def _start(host: str, port: int) -> viser.ViserServer:
    try:
        import viser
    except ImportError as error:
        raise InputError("serve needs viser: pip install 'stylesdf-studio[serve]'.") from error

    class Server(viser.ViserServer):
        """A server that no browser can have shared through viser's public relay."""

        def request_share_url(self, verbose: bool = True) -> str | None:
            """None: visitors do not decide who may come."""
            return None

    with contextlib.redirect_stdout(io.StringIO()):  # its banner
        server = Server(host, port, TITLE, verbose=False)
    # The browser's tab; viser's page is titled Viser, and its public API knows no other title.
    title = viser._messages.RunJavascriptMessage(f"document.title = {json.dumps(TITLE)};")
    server._websock_server.queue_message(title)
    if server.get_port() != port:  # taken in the last milliseconds
        server.stop()
        raise InputError(_taken(host, port))
    return server


def _usable_port(host: str, port: int) -> int:
    """A port on which a server can listen: ``port``, or a free one for 0.

    Raises:
        InputError: the port is taken or may not be used, or this machine has no such address.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
            return int(probe.getsockname()[1])
    except socket.gaierror as error:
        raise InputError(f"There is no host {host!r} to serve on; see --host.") from error
    except (OSError, OverflowError) as error:
        raise InputError(_taken(host, port)) from error


def _taken(host: str, port: int) -> str:
    return f"Port {port} of {host} is in use or not yours to use; choose another with --port."


def _in_url(host: str) -> str:
    """A host as browsers of this machine reach it."""
    if host in ("0.0.0.0", "::", ""):
        return "localhost"
    return f"[{host}]" if ":" in host else host
