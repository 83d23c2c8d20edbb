"""The Explore tab: the viewport with its toolbar and overlays, and the panels beside it."""
