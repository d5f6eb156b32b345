"""The morning: a pure summary of what the files say, and its rendering. Nothing here writes to the state."""
