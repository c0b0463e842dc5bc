"""Whether a recording stops in the middle, for formats whose header does not say how long it is."""

MPEG1, MPEG25, LAYER_3 = 3, 0, 1
"""Values of the version and layer fields of an MP3 frame header."""
MP3_KBITS_MPEG1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
MP3_KBITS_MPEG2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
MP3_RATES = (44_100, 48_000, 32_000)
"""Hz of MPEG-1; MPEG-2 has half of them, MPEG-2.5 a quarter."""

OGG_HEADER_BYTES = 27


def is_mp3_frame(packet: bytes) -> bool:
    """Whether the packet begins as an MP3 frame does; tags between or after the frames do not."""
    return mp3_frame_bytes(packet) is not None


def mp3_frame_bytes(packet: bytes) -> int | None:
    """Length in bytes that an MP3 frame's header states; None where it states none (ISO 11172-3, 2.4.1.3)."""
    if len(packet) < 4 or packet[0] != 0xFF or packet[1] & 0xE0 != 0xE0 or packet[1] >> 1 & 3 != LAYER_3:
        return None
    version, rate_index, kbits_index = packet[1] >> 3 & 3, packet[2] >> 2 & 3, packet[2] >> 4
    if rate_index == 3 or kbits_index in (0, 15):
        return None
    if version == MPEG1:
        bits, rate, factor = MP3_KBITS_MPEG1[kbits_index], MP3_RATES[rate_index], 144
    else:
        bits, rate, factor = MP3_KBITS_MPEG2[kbits_index], MP3_RATES[rate_index] // 2, 72
    if version == MPEG25:
        rate //= 2
    return factor * bits * 1000 // rate + (packet[2] >> 1 & 1)


def is_short_mp3_frame(packet: bytes) -> bool:
    """Whether an MP3 frame has fewer bytes than its header states."""
    stated = mp3_frame_bytes(packet)
    return stated is not None and len(packet) < stated


def is_short_ogg(data: bytes) -> bool:
    """Whether the last Ogg page of a file has fewer bytes than its header states (RFC 3533, section 6)."""
    at = data.rfind(b"OggS")
    if at < 0 or at + OGG_HEADER_BYTES > len(data):
        return True
    segments = data[at + OGG_HEADER_BYTES - 1]
    table = data[at + OGG_HEADER_BYTES :][:segments]
    return len(table) < segments or at + OGG_HEADER_BYTES + segments + sum(table) > len(data)
