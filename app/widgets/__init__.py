"""Dear PyGui's dressing: theme, fonts, icons, sliders, dialogs, textures."""
