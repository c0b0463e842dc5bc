"""What an API key looks like: `june_<id>_<secret>`. The id is public, the secret is shown once."""

import hashlib
import re
import secrets
import string

ID_CHARS = 12
SECRET_CHARS = 43
"""Of 62 letters and digits: 256 bits, so that a plain hash at rest is enough: there is nothing to guess."""

_KEY = re.compile(rf"june_([a-z0-9]{{{ID_CHARS}}})_([A-Za-z0-9]{{{SECRET_CHARS}}})")


def new_key() -> tuple[str, str]:
    """Id and secret, drawn from the operating system."""
    ident = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(ID_CHARS))
    secret = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(SECRET_CHARS))
    return ident, secret


def written(key_id: str, secret: str) -> str:
    return f"june_{key_id}_{secret}"


def read(text: str) -> tuple[str, str] | None:
    """Id and secret; None for what is no key of this kind."""
    found = _KEY.fullmatch(text)
    return (found[1], found[2]) if found else None


def digest(secret: str) -> str:
    """SHA-256 in hex: what is kept of a secret."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
