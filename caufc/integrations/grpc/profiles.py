"""The profiles that a server has: those it was started with, and the last few that clients sent."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import caufc

from .wire import profile_name

__all__ = ["Profiles"]


class Profiles:
    """Prepared decoders by the names of profiles. Threads may share it.

    Args:
        own: names, ``.caufp`` files or bytes of profiles that stay.
        sent: how many of clients are kept; the one that was used least recently goes.
        limits: of decoders.

    Raises:
        CaufError: if there is no such profile, or it is damaged.
    """

    def __init__(self, own: Iterable[str | Path | bytes], sent: int, limits: caufc.Limits) -> None:
        self._lock = threading.Lock()
        self._limits, self._most = limits, sent
        coders = [caufc.Coder(profile, limits=limits) for profile in own]
        self._own = {profile_name(coder.profile): coder for coder in coders}
        self._sent: OrderedDict[str, caufc.Coder] = OrderedDict()

    def add(self, profile: bytes) -> str:
        """Keep a client's profile; returns its name.

        Raises:
            OptionError: if the server takes none.
            CaufError: for bytes that are no profile.
        """
        name = profile_name(profile)
        with self._lock:
            if name in self._own or name in self._sent:
                return name
        if not self._most:
            raise caufc.OptionError("this server takes no profiles", remedy="use one that it was started with")
        coder = caufc.Coder(profile, limits=self._limits)
        with self._lock:
            self._sent[name] = coder
            while len(self._sent) > self._most:
                self._sent.popitem(last=False)
        return name

    def find(self, name: str) -> caufc.Coder:
        """The decoder of a profile.

        Raises:
            MissingProfileError: if it is not here, or no more.
        """
        with self._lock:
            if name in self._sent:
                self._sent.move_to_end(name)
            found = self._own.get(name) or self._sent.get(name)
        if found is None:
            raise caufc.MissingProfileError(name)
        return found
