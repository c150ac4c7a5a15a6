"""What was found in the last few texts, so that the next scanner that is asked need not look for the same again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import wraps
from hashlib import blake2b
from itertools import chain
from threading import Lock
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

MOST = 20_000
"""So much is kept of each kind of search, for all texts together: up to about 14 MB where all are tokens of names."""

_TEXTS = 32

Found = TypeVar("Found")
Asked = ParamSpec("Asked")
Search = Callable[Concatenate[str, Asked], Iterable[Found]]


def shared(size: Callable[[Any], int]) -> Callable[[Search[Asked, Found]], Search[Asked, Found]]:
    """A search whose last results are kept for who asks the same of the same text, each of which counts with its size.

    A text is known by its digest and is not kept itself.  What is found in a text beyond what may be kept is handed on
    as it is found.  Threads that ask for it at once may each search it, and find the same.
    """

    def sharing(search: Search[Asked, Found]) -> Search[Asked, Found]:
        kept = _Kept[Found]()

        @wraps(search)
        def asked(text: str, /, *args: Asked.args, **more: Asked.kwargs) -> Iterable[Found]:
            digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            key = (digest, len(text), args, tuple(more.items()))
            before = kept.of(key)
            if before is not None:
                return before
            found: list[Found] = []
            taken = 0
            going = iter(search(text, *args, **more))
            for one in going:
                found.append(one)
                taken += size(one)
                if taken > MOST:
                    return chain(found, going)
            kept.keep(key, tuple(found), taken)
            return found

        return asked

    return sharing


class _Kept(Generic[Found]):
    """What was found last, and how much of the room each takes."""

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, tuple[Sequence[Found], int]] = OrderedDict()
        self._taken = 0
        self._lock = Lock()

    def of(self, key: Hashable) -> Sequence[Found] | None:
        with self._lock:
            return self._found.get(key, (None, 0))[0]

    def keep(self, key: Hashable, found: Sequence[Found], size: int) -> None:
        with self._lock:
            self._taken += size - self._found.pop(key, ((), 0))[1]
            self._found[key] = found, size
            while len(self._found) > _TEXTS or self._taken > MOST:
                self._taken -= self._found.popitem(last=False)[1][1]
