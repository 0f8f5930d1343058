"""What is costly to make and stays right, kept in the process: bounded, the least recently used goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """A bounded store. Two callers of ``get`` at once may make the same thing twice; both get a whole one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()
        self._making = threading.Lock()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under the key, made first if it is not."""
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
                return self._items[key]
        made = make()
        with self._lock:
            self._items[key] = made
            while len(self._items) > self._most:
                self._items.popitem(last=False)
        return made

    def get_once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Like ``get``; who asks while it is being made waits for it. ``make`` must not ask this store again."""
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
                return self._items[key]
        with self._making:
            return self.get(key, make)


class Memory:
    """Stores by name, for what belongs to one node and not to the process."""

    def __init__(self) -> None:
        self._stores: dict[str, Kept[Any]] = {}
        self._lock = threading.Lock()

    def store(self, name: str, *, most: int) -> Kept[Any]:
        """The store of that name; ``most`` counts when it is asked for first."""
        with self._lock:
            return self._stores.setdefault(name, Kept(most))
