"""A self-hosted text-to-speech server for voice agents."""
