"""The container: bytes in, objects out. Nothing here reads a file, and nothing here knows numpy."""

from .block import CHECKSUM_BYTES, KNOWN_TAGS, Block, BlockParser, block_bytes, checksum
from .chunk import MAX_SAMPLES, Chunk, ChunkHead, chunk_bytes, parse_chunk, parse_chunk_head, work_of
from .header import CONTENTS, SIGNATURE, VERSION, Header, HeaderParser, leaves, seed_of
from .index import DISTANCE_BYTES, TAIL_BYTES, End, Index, end_bytes, index_bytes, parse_end, parse_index
from .keys import Key
from .metadata import METADATA, metadata_of, metadata_section
from .note import MAX_NOTE, MAX_NOTE_IN_HEADER, note_bytes, note_value
from .record import MAX_TEXT, AlignmentRecord, RecordBranch, RecordTree, Shape, TensorRecord
from .section import Section, parse_section, section_bytes
from .varint import Cursor, varint

__all__ = [
    "CHECKSUM_BYTES",
    "CONTENTS",
    "DISTANCE_BYTES",
    "KNOWN_TAGS",
    "MAX_NOTE",
    "MAX_NOTE_IN_HEADER",
    "MAX_SAMPLES",
    "MAX_TEXT",
    "METADATA",
    "SIGNATURE",
    "TAIL_BYTES",
    "VERSION",
    "AlignmentRecord",
    "Block",
    "BlockParser",
    "Chunk",
    "ChunkHead",
    "Cursor",
    "End",
    "Header",
    "HeaderParser",
    "Index",
    "Key",
    "RecordBranch",
    "RecordTree",
    "Section",
    "Shape",
    "TensorRecord",
    "block_bytes",
    "checksum",
    "chunk_bytes",
    "end_bytes",
    "index_bytes",
    "leaves",
    "metadata_of",
    "metadata_section",
    "note_bytes",
    "note_value",
    "parse_chunk",
    "parse_chunk_head",
    "parse_end",
    "parse_index",
    "parse_section",
    "section_bytes",
    "seed_of",
    "varint",
    "work_of",
]
