"""What a few bytes tell of a text, kept for who asks the same again: the next scanner, or the same one later."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from hashlib import blake2b
from threading import Lock

MOST = 4096
"""Of so many texts it is kept: a megabyte in parts of 2,000 characters has less than half of that."""


def by_digest(tell: Callable[[str], bytes]) -> Callable[[str], bytes]:
    """The function, whose last results are kept.

    A text is known by its digest and is not kept itself; a result takes some 200 bytes.  Threads that ask for it at
    once may each work it out, and find the same.
    """
    kept: OrderedDict[bytes, bytes] = OrderedDict()
    lock = Lock()

    @wraps(tell)
    def asked(text: str) -> bytes:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        found = kept.get(digest)
        if found is None:
            found = tell(text)
            with lock:
                kept[digest] = found
                if len(kept) > MOST:
                    kept.popitem(last=False)
        return found

    return asked
