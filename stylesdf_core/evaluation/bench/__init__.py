"""Speed: the engine against the plain modules, side by side, on any machine."""
