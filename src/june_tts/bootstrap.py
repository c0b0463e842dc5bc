"""The one composition root: builds everything from the settings and closes it in reverse."""
