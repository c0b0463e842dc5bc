"""Text to speakable pieces: normalise and split. Pure functions."""
