"""``.cauf`` samples in the tar shards of webdataset: an encoder and a writer, a handler and a decoder.

The writer puts the profiles that samples rely on first into every shard, in a folder ``__caufc__``, which webdataset
skips as it does all names between double underscores. The decoder fetches them there when it meets a sample that needs
one, once in a process, so that shards may be shuffled, split and copied one by one.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from webdataset.autodecode import Decoder, DecodingError
from webdataset.gopen import gopen
from webdataset.writer import ShardWriter, default_handlers, encode_based_on_extension1

import caufc

from .sample_codec import SampleCodec, profile_of, sample_codec

__all__ = ["CaufDecoder", "CaufEncoder", "CaufHandler", "CaufShardWriter"]

EXTENSION = "cauf"
FOLDER = "__caufc__/"


class CaufEncoder:
    """Fields ``cauf`` and ``NAME.cauf`` of samples to bytes, all others as webdataset encodes them.

    For ``webdataset.ShardWriter(..., encoder=CaufEncoder(...))``, whose readers then need the profile from elsewhere;
    :class:`CaufShardWriter` adds it.

    Args:
        coder: whose messages fields are, or coders by field name; None for files by themselves, of any size.
        handlers: of other fields by extension, besides webdataset's.
        options: of :func:`caufc.encode`, for fields without a coder.
    """

    def __init__(
        self,
        coder: caufc.Coder | Mapping[str, caufc.Coder] | None = None,
        handlers: Mapping[str, Callable[[Any], bytes]] | None = None,
        **options: Any,
    ) -> None:
        self.coder, self.handlers, self.options = coder, dict(handlers or {}), options
        if isinstance(coder, caufc.Coder) and options:
            raise caufc.OptionError(f"{', '.join(options)} beside a coder, which has options of its own")
        sample_codec(None, **options)

    def __call__(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """A sample whose fields are bytes.

        Raises:
            InputError: for a tensor that cannot be encoded as asked; it names the file in the shard.
        """
        return {name: self._field(sample, name, value) for name, value in sample.items()}

    def profiles(self) -> list[bytes]:
        """What readers need."""
        coders = self.coder.values() if isinstance(self.coder, Mapping) else [self.coder]
        return list(dict.fromkeys(coder.profile for coder in coders if coder is not None))

    def _field(self, sample: Mapping[str, Any], name: str, value: Any) -> Any:
        if not _is_cauf(name) or isinstance(value, bytes):
            return encode_based_on_extension1(value, name, {**default_handlers, **self.handlers})
        coder = self.coder.get(name) if isinstance(self.coder, Mapping) else self.coder
        try:
            return sample_codec(None, **self.options).encode(value) if coder is None else coder.encode(value)
        except caufc.InputError as err:
            raise err.locate(file=f"{sample.get('__key__')}.{name}") from err.__cause__


class CaufShardWriter(ShardWriter):
    """A ``webdataset.ShardWriter`` of samples with tensors in fields ``cauf`` and ``NAME.cauf``.

    Every shard holds the profiles that its samples rely on.

    Args:
        pattern: of the shards' names, ``features-%06d.tar``.
        coder: whose messages fields are, or coders by field name; None for files by themselves, at medium quality.
        encoder: a :class:`CaufEncoder` of your own, for other handlers and options.
        options: of ``webdataset.ShardWriter``: ``maxcount``, ``maxsize``, ``post``, ...
    """

    def __init__(
        self,
        pattern: str,
        coder: caufc.Coder | Mapping[str, caufc.Coder] | None = None,
        *,
        encoder: CaufEncoder | None = None,
        **options: Any,
    ) -> None:
        if encoder is not None and (coder is not None or not isinstance(encoder, CaufEncoder)):
            raise caufc.OptionError("encoder is a CaufEncoder, with its coder in it", remedy="give one of the two")
        self._encoder = encoder or CaufEncoder(coder)
        super().__init__(pattern, encoder=self._encoder, **options)

    def next_stream(self) -> None:
        """Begin a shard, with the profiles."""
        super().next_stream()
        for number, profile in enumerate(self._encoder.profiles()):
            self.tarstream.write({"__key__": f"{FOLDER}{number}", "caufp": profile})


class CaufHandler:
    """A handler for ``WebDataset.decode``: fields ``cauf`` and ``NAME.cauf`` to tensors.

    It sees bytes and no shard: samples that rely on a profile need it given. :class:`CaufDecoder` finds it.

    Args:
        profile: of the samples: a :class:`caufc.Coder`, or name, ``.caufp`` file or bytes.
    """

    def __init__(self, profile: Any = None) -> None:
        self.codec = sample_codec(profile_of(profile))

    def __call__(self, key: str, data: bytes) -> Any:
        """A tensor; None for other fields, which leaves them to the next handler."""
        return self.codec.decode(data) if _is_cauf(key) else None


class CaufDecoder(Decoder):
    """A decoder of samples for ``WebDataset.map``: what ``decode`` does, and ``cauf`` fields by their profiles.

    Args:
        handlers: of other fields, as for ``WebDataset.decode``.
        options: of ``webdataset.autodecode.Decoder``: ``only``, ``partial``, ...
    """

    def __init__(self, *handlers: Any, **options: Any) -> None:
        super().__init__(list(handlers), **options)
        self.codecs = [sample_codec(None)]

    def decode(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """A sample whose fields are decoded.

        Raises:
            DecodingError: of webdataset, with sample, field and shard; the CaufError is its cause.
        """
        ours = {name for name in sample if _is_cauf(name) and (self.only is None or name in self.only)}
        others = super().decode({name: value for name, value in sample.items() if name not in ours})
        return {name: self._field(sample, name) if name in ours else others[name] for name in sample}

    def _field(self, sample: Mapping[str, Any], name: str) -> Any:
        data = sample[name]
        if self.partial and not isinstance(data, bytes):
            return data
        try:
            return self._decoded(data, sample.get("__local_path__") or sample.get("__url__"))
        except caufc.CaufError as err:
            key, url = sample.get("__key__"), sample.get("__url__")
            cause = err.locate(file=f"{url}: {key}.{name}")
            raise DecodingError(url=url, key=key, k=name, sample=sample) from cause

    def _decoded(self, data: bytes, shard: str | None) -> Any:
        """The tensor of some bytes; the codec that has their profile is the first to be tried for the next."""
        try:
            return self.codecs[0].decode(data)
        except caufc.MissingProfileError as err:
            missing = err
        for codec in self._others(shard):
            try:
                found = codec.decode(data)
            except caufc.MissingProfileError:
                continue
            self.codecs = [codec, *(other for other in self.codecs if other is not codec)]
            return found
        missing.remedy = "it is not in the shard either: give it to CaufHandler(profile)"
        raise missing

    def _others(self, shard: str | None) -> Iterator[SampleCodec]:
        """Codecs that have been used, and then those of a shard's profiles."""
        yield from self.codecs[1:]
        if shard is not None:
            yield from (sample_codec(profile) for profile in _profiles_in(shard))


def _profiles_in(shard: str) -> list[bytes]:
    """The profiles at the beginning of a shard; nothing else of it is read."""
    found = []
    with gopen(shard, "rb") as stream, tarfile.open(fileobj=stream, mode="r|*") as shard_file:
        for member in shard_file:
            content = shard_file.extractfile(member) if member.name.startswith(FOLDER) else None
            if content is None:
                break
            found.append(content.read())
    return found


def _is_cauf(name: str) -> bool:
    return not name.startswith("_") and name.lower().rpartition(".")[2] == EXTENSION
