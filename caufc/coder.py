"""Prepared coders: streams of small messages, each a file of one sample, planned once for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .catalog import find_profile, lookup_of
from .coders.side_files import ProfileFile
from .container_files import bytes_of
from .decoder.message_reader import MessageReader
from .delivery import decoded, decoded_into
from .encoder.message_writer import MessageTensor, MessageWriter, message_quality
from .encoder.options import Target
from .errors import UnknownNameError
from .features import open_sample
from .limits import DEFAULT_LIMITS, Limits

__all__ = ["Coder"]


class Coder:
    """Codes samples of one kind, one a message, with no work but the sample's.

    A message is a ``.cauf`` file that names its profile by hash and does not hold it: whoever decodes it needs the
    profile (:attr:`profile`), given once, and has it in a coder or gives it to :func:`caufc.decode`. Threads may share
    a coder, and it can be pickled.

    Args:
        profile: name, ``.caufp`` file or bytes of a profile; :meth:`fit` makes one from samples.
        quality: 0 to 100, or ``low``, ``medium``, ``high``; medium when no control is given. Messages have the steps
            of this quality, whatever they hold. They are smallest at the quality that the profile was made for.
        snr: ``"30/token"`` promises every token of every message so many dB.
        max_error, bpfp, lossless: are refused: no message could keep them at steps that are the same for all.
        nonfinite: ``error`` refuses NaN and Inf, ``keep`` carries them exactly.
        limits: of this decoder, and of those that are to read the messages.

    Raises:
        OptionError: for a control that messages cannot keep each by itself, and for limits that are none.
        CaufError: if there is no such profile, or it is damaged.
    """

    def __init__(
        self,
        profile: str | Path | bytes | ProfileFile,
        *,
        quality: float | str | None = None,
        snr: float | str | None = None,
        max_error: float | None = None,
        bpfp: float | None = None,
        lossless: bool = False,
        nonfinite: str = "error",
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        target = Target.choose(quality, snr, bpfp, max_error, lossless)
        message_quality(target)
        if nonfinite not in ("error", "keep"):
            raise UnknownNameError("way with NaN and Inf", nonfinite, ("error", "keep"))
        known = find_profile(profile, Limits.given(limits))
        self._options = (quality, snr, nonfinite, limits)
        self._profile = known
        self._writer = MessageWriter(known, target, nonfinite == "keep", limits)
        self._reader = MessageReader(known.id, lookup_of(known, None, limits), limits)

    @classmethod
    def fit(
        cls,
        samples: Any,
        *,
        quality: float | str | None = None,
        snr: float | str | None = None,
        nonfinite: str = "error",
        limits: Limits = DEFAULT_LIMITS,
        **options: Any,
    ) -> Coder:
        """The coder of a profile that is made from samples.

        Args:
            samples: of what messages will hold, as for :func:`caufc.encode`: a batch ``[B, ...]``, or a list of
                samples. A few hundred that are typical are enough for most features; a basis needs several times as
                many tokens as channels.
            quality, snr, nonfinite, limits: of the coder.
            options: ``layout``, ``arch``, ``tap``, ``align``, ``truncate`` as for :func:`caufc.encode`.

        Raises:
            InputError: for samples or options that cannot be used.
        """
        from .fit.profile import fit_profile

        target = Target.choose(quality, snr)
        made_for = min(100.0, max(0.0, message_quality(target)))
        profile = fit_profile(samples, quality=made_for, nonfinite=nonfinite, **options)
        return cls(profile, quality=quality, snr=snr, nonfinite=nonfinite, limits=limits)

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (self.profile, *self._options)

    @property
    def profile(self) -> bytes:
        """The ``.caufp`` file that messages rely on, for the other side."""
        return self._profile.data

    def encode(self, sample: Any) -> bytes:
        """A message with one sample: a tensor, or what the profile was made from, without a sample axis.

        Raises:
            InputError: for a sample that is not of the profile's kind, and for NaN and Inf that may not come.
            LimitError: for what decoders would refuse.
        """
        tree, leaves = open_sample(sample, self._writer.limits)
        tensors = [MessageTensor(leaf.read(), leaf.dtype, leaf.framework) for leaf in leaves]
        return self._writer.write(tree, tensors)

    def decode(self, data: bytes | bytearray | memoryview, *, out: Any = None) -> Any:
        """The sample of a message, as :func:`caufc.decode` gives it.

        Args:
            data: the message; any other file that caufc wrote is decoded too.
            out: arrays to decode into, as for :func:`caufc.decode`.

        Returns:
            the sample, or ``out``.

        Raises:
            OptionError: for what has no bytes, such as a path, which :func:`caufc.load` takes.
            InputError: for an ``out`` that does not fit.
            FormatError: for damaged or malformed bytes.
            UnsupportedError: for newer versions, missing profiles, and over limits.
        """
        decoder = self._reader.decoder(bytes(bytes_of(data, "decode")))
        return decoded(decoder) if out is None else decoded_into(out, decoder)


def _remade(
    profile: bytes, quality: float | str | None, snr: float | str | None, nonfinite: str, limits: Limits
) -> Coder:
    return Coder(profile, quality=quality, snr=snr, nonfinite=nonfinite, limits=limits)
