"""What the studio knows, without any toolkit: document, settings, screen, problems, exports."""
