# cython: language_level=3
"""A chunk's tokens in the order in which they are coded, and what decides the tables of their symbols (spec, 9.1).

A run is what one pass codes, or the extents: its symbols sorted by table, and by place within a table.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from .buffers cimport Held, items, length

cdef enum:
    BANDS = 16
    NEIGHBOURS = 4
    SURROUNDINGS = 5     # 0 to 4 neighbours
    SUMS = 64            # of 4 magnitudes up to 15
    MAGNITUDES = 16
    LARGEST = 15
    TABLES = 256
    BUCKETS = 64
    DIRECT = 16          # buckets below have no extra bits
    PIECE_BITS = 16      # extra bits that are coded at once
    PARTS = 4            # of a pass, whose tokens are looked at side by side
    MOST_PLACES = 0x7fffffff

cdef struct Pass:
    Py_ssize_t first, stop   # of the placed tokens
    Py_ssize_t rank
    Py_ssize_t near

cdef struct Chunk:
    Py_ssize_t tokens        # N
    Py_ssize_t channels      # C
    Py_ssize_t placed        # n, tokens of all passes
    Py_ssize_t passes        # P
    Py_ssize_t heads         # H, blocks with extents
    Py_ssize_t kinds         # K, classes that have tables
    bint spectral
    const Py_ssize_t* places      # [n], below N
    const Py_ssize_t* neighbours  # [4, n], up to N, which stands for none
    const uint8_t* bands          # [n], below 16
    const Py_ssize_t* blocks      # [n], below H where a symbol depends on its block's extent
    const Pass* order             # [P]
    const Py_ssize_t* head_places # [H], below N
    const uint8_t* head_bands     # [H], below 16
    const uint8_t* classes        # [16, C], below K

cdef struct Work:
    uint8_t* known      # magnitudes [N + 1, C]; the last row stays 0
    uint8_t* extents    # [H, C]
    uint8_t* numbers    # tables of a run's symbols
    uint8_t* run        # its symbols by table
    uint32_t starts[TABLES + 1]
    uint32_t cursor[PARTS][TABLES]   # counts of a pass's parts, then where each part's next symbol of a table stands


cdef inline int take_chunk(
    Held* all_held, Chunk* chunk, object placement, object classes, Py_ssize_t channels, Py_ssize_t kinds, bint extents
) except -1:
    """Fill in a chunk. Attack: places outside of it. Bound: those that the struct's comments state, else ValueError."""
    cdef Py_ssize_t size
    cdef bint fits
    tokens, spectral, places, neighbours, bands, blocks, order, heads, head_bands = placement
    chunk.tokens, chunk.channels, chunk.kinds, chunk.spectral = tokens, channels, kinds, spectral
    if chunk.tokens < 0 or channels < 0 or (channels and chunk.tokens >= MOST_PLACES // channels):
        raise ValueError(f"{tokens} x {channels} symbols")
    if not 0 < kinds <= TABLES:
        raise ValueError(f"{kinds} classes")
    chunk.places = <const Py_ssize_t*>items(all_held, places, sizeof(Py_ssize_t), -1)
    size = chunk.placed = length(all_held)
    chunk.neighbours = <const Py_ssize_t*>items(all_held, neighbours, sizeof(Py_ssize_t), NEIGHBOURS * size)
    chunk.bands = <const uint8_t*>items(all_held, bands, 1, size)
    chunk.blocks = <const Py_ssize_t*>items(all_held, blocks, sizeof(Py_ssize_t), size)
    chunk.order = <const Pass*>items(all_held, order, sizeof(Py_ssize_t), -1)
    chunk.passes = length(all_held) // 4
    chunk.head_places = <const Py_ssize_t*>items(all_held, heads, sizeof(Py_ssize_t), -1)
    chunk.heads = length(all_held) if extents else 0
    chunk.head_bands = <const uint8_t*>items(all_held, head_bands, 1, length(all_held))
    chunk.classes = <const uint8_t*>items(all_held, classes, 1, BANDS * channels)
    if size > chunk.tokens or chunk.heads > chunk.tokens:
        raise ValueError(f"{size} places and {chunk.heads} heads of {chunk.tokens} tokens")
    with nogil:
        fits = chunk_fits(chunk)
    if not fits:
        raise ValueError("a chunk with places outside of it")
    return 0


cdef inline bint chunk_fits(const Chunk* chunk) noexcept nogil:
    cdef Py_ssize_t i, number, before = 0
    cdef bint wrong = False
    cdef const Pass* one
    for i in range(chunk.placed):
        wrong |= <size_t>chunk.places[i] >= <size_t>chunk.tokens or chunk.bands[i] >= BANDS
    for i in range(NEIGHBOURS * chunk.placed):
        wrong |= <size_t>chunk.neighbours[i] > <size_t>chunk.tokens
    for i in range(BANDS * chunk.channels):
        wrong |= chunk.classes[i] >= chunk.kinds
    for i in range(chunk.heads):
        wrong |= <size_t>chunk.head_places[i] >= <size_t>chunk.tokens or chunk.head_bands[i] >= BANDS
    for number in range(chunk.passes):
        one = &chunk.order[number]
        if one.first != before or one.stop < before or one.stop > chunk.placed:
            return False
        before = one.stop
        if bounded(chunk, number):
            for i in range(one.first, one.stop):
                wrong |= <size_t>chunk.blocks[i] >= <size_t>chunk.heads
    return not wrong


cdef inline bint bounded(const Chunk* chunk, Py_ssize_t number) noexcept nogil:
    """Whether a pass codes those symbols alone that their blocks' extents reach."""
    return chunk.heads > 0 and number > 0 and chunk.order[number].rank > 0


cdef inline int make_work(Work* work, const Chunk* chunk) except -1:
    """Room for the largest run; all magnitudes 0."""
    cdef Py_ssize_t number, most = chunk.heads
    cdef size_t channels = <size_t>chunk.channels
    for number in range(chunk.passes):
        most = max(most, chunk.order[number].stop - chunk.order[number].first)
    cdef size_t known = (<size_t>chunk.tokens + 1) * channels, extents = <size_t>chunk.heads * channels
    cdef size_t largest = <size_t>most * channels
    work.known = <uint8_t*>malloc(known + extents + 2 * largest + 1)
    if not work.known:
        raise MemoryError
    work.extents = work.known + known
    work.numbers = work.extents + extents
    work.run = work.numbers + largest
    memset(work.known, 0, known + extents)
    return 0


cdef inline void free_work(Work* work) noexcept:
    free(work.known)


cdef inline int neighbours_of(const Chunk* chunk, Py_ssize_t i) noexcept nogil:
    """How many a placed token has."""
    cdef Py_ssize_t n = chunk.placed
    cdef const Py_ssize_t* around = chunk.neighbours + i
    return (
        (around[0] != chunk.tokens) + (around[n] != chunk.tokens)
        + (around[2 * n] != chunk.tokens) + (around[3 * n] != chunk.tokens)
    )


cdef inline void note_pass(
    Work* work, const Chunk* chunk, Py_ssize_t number, const uint8_t* buckets
) noexcept nogil:
    """Magnitudes of a pass's symbols."""
    cdef Py_ssize_t C = chunk.channels, i
    for i in range(chunk.order[number].first, chunk.order[number].stop):
        note(buckets + chunk.places[i] * C, work.known + chunk.places[i] * C, C)


cdef inline void note(const uint8_t* buckets, uint8_t* known, Py_ssize_t count) noexcept nogil:
    """Magnitudes of buckets [CAUF-0214]."""
    cdef Py_ssize_t i
    cdef uint8_t magnitude
    for i in range(count):
        magnitude = <uint8_t>(buckets[i] + 1) >> 1
        known[i] = magnitude if magnitude < LARGEST else LARGEST


cdef inline void reach_blocks(Work* work, const Chunk* chunk) noexcept nogil:
    """The extents of all blocks from magnitudes that are known."""
    cdef Py_ssize_t C = chunk.channels, number, i, c
    cdef const uint8_t* known
    cdef uint8_t* reach
    cdef uint8_t rank
    for number in range(1, chunk.passes):
        if not bounded(chunk, number):
            continue
        rank = <uint8_t>chunk.order[number].rank
        for i in range(chunk.order[number].first, chunk.order[number].stop):
            known, reach = work.known + chunk.places[i] * C, work.extents + chunk.blocks[i] * C
            for c in range(C):
                reach[c] = rank if known[c] else reach[c]


cdef extern from *:
    """
    #if defined(__GNUC__)
    #define octave_of(symbol) (31 - __builtin_clz(symbol))
    #else
    static int octave_of(unsigned symbol) { int octave = 0; while (symbol >>= 1) octave++; return octave; }
    #endif
    """
    int octave_of(uint32_t symbol) noexcept nogil   # the place of the highest bit; the symbol is not 0


cdef inline uint8_t bucket_of(uint32_t symbol) noexcept nogil:
    """The bucket of a symbol below 2^28, below 64."""
    cdef int octave
    if symbol < DIRECT:
        return <uint8_t>symbol
    octave = octave_of(symbol)
    return <uint8_t>(2 * octave + (symbol >> (octave - 1) & 1) + DIRECT - 8)


cdef inline uint32_t first_of(int bucket) noexcept nogil:
    """The first symbol of a bucket with extra bits."""
    return <uint32_t>(2 + (bucket & 1)) << (bits_of(bucket))


cdef inline int bits_of(int bucket) noexcept nogil:
    """The extra bits of a bucket from 16 on: 3 to 26."""
    return (bucket - DIRECT) // 2 + 3
