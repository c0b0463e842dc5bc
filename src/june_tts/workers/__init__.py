"""Several web workers over one process with the engines, and how any of them lives and ends."""
