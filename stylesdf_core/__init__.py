"""StyleSDF as a library: generate, orbit, mesh and export heads from a signed distance field."""

from __future__ import annotations

__version__ = "0.1.0"
