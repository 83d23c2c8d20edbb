"""``serve`` on the command line: the studio for browsers, until Ctrl+C."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from stylesdf_core.commands.scenes.options.rendering import Device
from stylesdf_core.commands.scenes.options.scene_flags import SceneFlags
from stylesdf_core.errors import check_range
from stylesdf_core.progress import Announcement, Operation, Progress
from stylesdf_core.scene.scene import Scene
from stylesdf_core.system.console import first_signal


@dataclass(frozen=True, kw_only=True)
class Serve:
    """Show the studio in browsers: on this machine, or from it on others.

    Every visitor has a scene of their own, and all share one model on one device. There is no
    password: whoever reaches the address can use it, and can read no files of this machine but the
    exports made there.
    """

    host: str = "127.0.0.1"
    """Address to listen on; 127.0.0.1 is for this machine only, 0.0.0.0 for others too."""

    port: int = 8080
    """Port to listen on, 1 to 65535; 0 for any free one."""

    scene: SceneFlags = field(default_factory=Scene)

    device: Device = "auto"
    """Where to compute."""

    def run(self) -> Operation[str]:
        """Load the model, then serve until the first signal to end.

        Raises:
            InputError: viser is not installed, the model cannot be loaded or the address not used.
        """
        check_range("--port", self.port, 0, 65535)
        yield Progress(0, 2, "loading the model")
        from app.serve.server import BrowserServer
        from stylesdf_core.model.model import load_model, select_device

        select_device(self.device)
        load_model(self.scene.model)  # a mistake is said before the first visitor comes
        yield Progress(1, 2, "starting the server")
        server = BrowserServer(self.host, self.port, self.scene, self.device)
        try:
            with first_signal(lambda: None) as asked:
                yield Announcement(2, 2, self._welcome(server.url))
                while not asked.is_set():
                    server.step()
        finally:
            server.close()
        return "Stopped."

    def _welcome(self, url: str) -> str:
        reach = "for this machine only; --host 0.0.0.0 lets others in"
        if not _is_loopback(self.host):
            reach = "for everyone who reaches this machine, without a password"
        return f"Serving at {url} ({reach}). Ctrl+C stops."


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
