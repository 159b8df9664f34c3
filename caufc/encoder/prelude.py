"""Header and sections of a file: what decoders need, without what its profile says already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..bitstream import AlignmentRecord, Header, Section, TensorRecord, metadata_section
from ..codec.hyperprior.weights import DECODER_SECTIONS, WEIGHTS_SECTIONS
from ..coders.config import TensorConfig, record_of
from ..coders.resolve import record_tree, resolve
from ..coders.sections import ELEMENTS, METADATA_NAME, NUMBERS, OFFSETS, SCALES, name_of, section_of
from ..coders.side_files import ProfileFile, WeightsFile
from ..types import Structure
from .options import EncodeOptions
from .origin import Origin
from .plan import TensorPlan
from .source import Source

__all__ = ["NO_ORIGIN", "container_prelude", "file_prelude"]

NO_ORIGIN = Origin()


def container_prelude(
    structure: Structure,
    configs: Sequence[TensorConfig],
    *,
    gain: float | None,
    arch: str | None,
    indexed: bool,
    profile: ProfileFile | None,
    weights: WeightsFile | None = None,
    embed_weights: bool = False,
    metadata: Mapping[str, str] | None = None,
    origin: Origin = NO_ORIGIN,
) -> tuple[Header, list[Section]]:
    """Header and sections of a file; what its profile says is left out, what only the profile has is emptied.

    Args:
        structure: of the samples.
        configs: of the tensors.
        gain: factor on all steps.
        arch: architecture ID.
        indexed: whether an index will follow.
        profile: that the file relies on.
        weights: that its tensors of the learned codec need.
        embed_weights: copy the decoder's part of them into the file, instead of naming them.
        metadata: of the file, texts by name.
        origin: what the file says of how it was made.
    """
    records: tuple[TensorRecord, ...] | None = tuple(record_of(config) for config in configs)
    sections = [
        section_of(number, name, array)
        for number, config in enumerate(configs)
        for name, array in config.arrays.items()
        if name not in WEIGHTS_SECTIONS
    ]
    if weights is not None and embed_weights:
        sections += [section for section in weights.sections if name_of(section) in DECODER_SECTIONS]
    if metadata:
        sections.append(metadata_section(metadata))
    tree = None if structure.tree == 0 else record_tree(structure.tree)
    header = Header(
        content=structure.kind,
        indexed=indexed,
        gain=None if gain == 1 else gain,
        tree=tree,
        tensors=records,
        arch=arch,
        weights=None if weights is None or embed_weights else weights.id,
        control=origin.control,
        software=origin.software,
    )
    return (header, sections) if profile is None else _relying(header, sections, configs, profile)


def file_prelude(
    source: Source,
    options: EncodeOptions,
    plans: Sequence[TensorPlan],
    gain: float,
    arch: str | None,
    profile: ProfileFile | None,
    origin: Origin,
    *,
    indexed: bool,
) -> tuple[Header, list[Section]]:
    """Header and sections of a file that is coded by plans, less the gain on which their steps rely."""
    return container_prelude(
        source.structure,
        [plan.config for plan in plans],
        gain=gain if any(plan.config.codec.lossy for plan in plans) else None,
        arch=arch,
        indexed=indexed,
        profile=profile if options.relies_on(profile) else None,
        weights=options.weights if any(plan.config.codec.weighted for plan in plans) else None,
        embed_weights=options.carried_weights is not None,
        metadata=source.metadata,
        origin=origin,
    )


def _relying(
    header: Header, sections: list[Section], configs: Sequence[TensorConfig], profile: ProfileFile
) -> tuple[Header, list[Section]]:
    """The same, for decoders that have the profile."""
    defaults = [record_of(config) for config in resolve(profile.header, profile.sections, None)[1]]
    own_tree, known_tree = (0 if tree is None else tree for tree in (header.tree, profile.header.tree))
    shorter = tuple(
        _difference(number, record_of(config), default)
        for number, (config, default) in enumerate(zip(configs, defaults, strict=True))
    )
    header = replace(
        header,
        profile=profile.id,
        tree=None if own_tree == known_tree else own_tree,
        tensors=None if all(record == TensorRecord() for record in shorter) else shorter,
        arch=None if header.arch == profile.header.arch else header.arch,
    )
    there = {(name_of(s), s.tensor): s.data for s in profile.sections if name_of(s) != METADATA_NAME}
    absent = [
        Section(NUMBERS[name], number, ELEMENTS[name], b"")
        for name, number in there
        if configs[number].codec.lossy and name not in (OFFSETS, SCALES, *configs[number].arrays)
    ]
    return header, [*absent, *(s for s in sections if there.get((name_of(s), s.tensor)) != s.data)]


def _difference(number: int, record: TensorRecord, default: TensorRecord) -> TensorRecord:
    """Only the fields in which the record of a tensor differs from the profile's."""
    differing = {name: value for name, value in vars(record).items() if value != getattr(default, name)}
    if "alignment" in differing and differing["alignment"] is None:
        differing["alignment"] = AlignmentRecord(0, 0)
    if "leader" in differing and differing["leader"] is None:
        differing["leader"] = number
    return TensorRecord(**differing)
