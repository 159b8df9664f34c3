"""Split inference over gRPC: the edge runs a network's front and sends features, the server goes on from them.

:class:`Server` answers with a function of yours, or with the rest of a backbone that a plugin knows
(:func:`resume_of`); :class:`Client` sends features as the messages of a prepared coder, its profile once. What goes
over the wire is in ``wire``: bytes of ``.cauf`` files, so that any gRPC client that passes bytes through can take part.
"""

from .backbone import resume_of
from .client import Client
from .server import Server
from .wire import MESSAGE_BYTES, SERVICE_LIMITS, RemoteError, Tls

__all__ = ["MESSAGE_BYTES", "SERVICE_LIMITS", "Client", "RemoteError", "Server", "Tls", "resume_of"]
