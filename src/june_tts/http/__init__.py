"""The HTTP surface. Routes only translate."""
