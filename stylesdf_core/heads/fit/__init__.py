"""The supervised fit of a generator to synthetic heads, whose geometry and colours are known."""
