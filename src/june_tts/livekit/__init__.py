"""Speech into LiveKit rooms: tokens, connections, the track, captions. Loaded only where it is configured."""
