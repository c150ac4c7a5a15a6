"""What was found in the last few texts, so that the next scanner that is asked need not look for the same again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import wraps
from hashlib import blake2b
from threading import Lock
from typing import Concatenate, ParamSpec, TypeVar

MOST = 20_000
"""So many places are kept of each kind of search, for all texts together: about 8 MB."""

_TEXTS = 32
LONGEST = 1 << 16
"""What is found in texts of more characters is handed on as it is found: kept it would take many times their room."""

Found = TypeVar("Found")
Asked = ParamSpec("Asked")
Search = Callable[Concatenate[str, Asked], Iterable[Found]]


def shared(search: Search[Asked, Found]) -> Search[Asked, Found]:
    """The search, whose last results are kept for who asks the same of the same text; those of long texts are not.

    A text is known by its digest and is not kept itself.  Threads that ask for it at once may each search it, and find
    the same.
    """
    kept: OrderedDict[Hashable, Sequence[Found]] = OrderedDict()
    lock = Lock()

    def keep(key: Hashable, found: Sequence[Found]) -> None:
        with lock:
            kept[key] = found
            size = sum(map(len, kept.values()))
            while len(kept) > _TEXTS or size > MOST:
                size -= len(kept.popitem(last=False)[1])

    @wraps(search)
    def asked(text: str, /, *args: Asked.args, **more: Asked.kwargs) -> Iterable[Found]:
        if len(text) > LONGEST:
            return search(text, *args, **more)
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        key = (digest, len(text), args, tuple(more.items()))
        with lock:
            found = kept.get(key)
        if found is None:
            found = tuple(search(text, *args, **more))
            keep(key, found)
        return found

    return asked
