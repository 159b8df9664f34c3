# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What a planner counts in a sample's indices ``[N, C]``: by band, channel, class and context (an encoder's freedom).

Attack: indices whose symbols no bucket holds, and classes without counts. Bound: magnitudes below 2^27, classes below 48,
both looked at before anything is counted, else ValueError.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from .buffers cimport Held, items, length, let_go, space
from .chunk cimport *

cdef enum:
    CLASSES = 48
    CONTEXTS = 40
    STRETCH = 64


cdef const int32_t* take_indices(Held* all_held, object indices, Py_ssize_t rows, Py_ssize_t width) except? NULL:
    cdef const int32_t* found
    cdef Py_ssize_t i
    cdef uint32_t most = 0
    if rows < 0 or width < 0 or (width and rows > MOST_PLACES // width):
        raise ValueError(f"{rows} x {width} indices")
    found = <const int32_t*>items(all_held, indices, 4, rows * width)
    with nogil:
        for i in range(rows * width):
            most |= <uint32_t>(found[i] ^ found[i] >> 31)
    if most >> 27:
        raise ValueError("indices beyond all buckets")
    return found


cdef const uint8_t* take_below(Held* all_held, object numbers, Py_ssize_t count, int limit) except? NULL:
    """Numbers below a limit."""
    cdef const uint8_t* found = <const uint8_t*>items(all_held, numbers, 1, count)
    cdef Py_ssize_t i
    cdef int most = 0
    for i in range(count):
        most = max(most, found[i])
    if count and most >= limit:
        raise ValueError(f"{most} is not below {limit}")
    return found


def buckets(indices, out, Py_ssize_t rows, Py_ssize_t width):
    """The bucket of every index's symbol: int32 ``[N, C]`` to uint8 ``[N, C]``.

    Raises:
        ValueError: for arrays that do not fit each other, or indices beyond all buckets.
    """
    cdef Held all_held
    cdef const int32_t* given
    cdef uint8_t* to
    cdef uint32_t symbol, most
    cdef Py_ssize_t first = 0, stop, i
    all_held.count = 0
    try:
        given = take_indices(&all_held, indices, rows, width)
        to = <uint8_t*>space(&all_held, out, 1, rows * width)
        with nogil:
            while first < rows * width:
                stop, most = min(first + STRETCH, rows * width), 0
                for i in range(first, stop):
                    symbol = <uint32_t>given[i] << 1 ^ <uint32_t>(given[i] >> 31)
                    to[i] = <uint8_t>symbol
                    most |= symbol
                if most >= DIRECT:
                    for i in range(first, stop):
                        to[i] = bucket_of(<uint32_t>given[i] << 1 ^ <uint32_t>(given[i] >> 31))
                first = stop
    finally:
        let_go(&all_held)


def sums(indices, bands, by_band, by_channel, Py_ssize_t rows, Py_ssize_t width):
    """Sums of magnitudes: int64 ``[16]`` by band and ``[C]`` by channel, zero before.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const int32_t* given
    cdef const uint8_t* of
    cdef int64_t* band_sums
    cdef int64_t* channel_sums
    cdef int64_t total
    cdef int32_t size
    cdef Py_ssize_t row, c
    all_held.count = 0
    try:
        given = take_indices(&all_held, indices, rows, width)
        of = take_below(&all_held, bands, rows, BANDS)
        band_sums = <int64_t*>space(&all_held, by_band, 8, BANDS)
        channel_sums = <int64_t*>space(&all_held, by_channel, 8, width)
        with nogil:
            for row in range(rows):
                total = 0
                for c in range(width):
                    size = (given[c] ^ given[c] >> 31) - (given[c] >> 31)
                    channel_sums[c] += size
                    total += size
                band_sums[of[row]] += total
                given += width
    finally:
        let_go(&all_held)


def sizes(indices, bands, classes, counts, excess, Py_ssize_t rows, Py_ssize_t width):
    """By class, how many indices are 0, of magnitude 1, or more, int64 ``[48, 3]``, and the sum of these, ``[48]``.

    Args:
        indices: int32 ``[N, C]``.
        bands: uint8 ``[N]``, below 16.
        classes: uint8 ``[16, C]``, below 48.
        counts, excess: zero before.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const int32_t* given
    cdef const uint8_t* of
    cdef const uint8_t* all_classes
    cdef int64_t* many
    cdef int64_t* more
    cdef int64_t* totals = NULL
    cdef int64_t[BANDS] tokens
    cdef Py_ssize_t row, c, place
    all_held.count = 0
    try:
        given = take_indices(&all_held, indices, rows, width)
        of = take_below(&all_held, bands, rows, BANDS)
        all_classes = take_below(&all_held, classes, BANDS * width, CLASSES)
        many = <int64_t*>space(&all_held, counts, 8, 3 * CLASSES)
        more = <int64_t*>space(&all_held, excess, 8, CLASSES)
        totals = <int64_t*>calloc(3 * BANDS * <size_t>width + 1, sizeof(int64_t))
        if not totals:
            raise MemoryError
        with nogil:
            memset(tokens, 0, sizeof(tokens))
            for row in range(rows):
                tokens[of[row]] += 1
                add_sizes(given + row * width, totals + 3 * of[row] * width, width)
            for place in range(BANDS * width):
                c = 3 * (place // width) * width + place % width
                many[3 * all_classes[place]] += tokens[place // width] - totals[c]
                many[3 * all_classes[place] + 1] += totals[c] - totals[c + width]
                many[3 * all_classes[place] + 2] += totals[c + width]
                more[all_classes[place]] += totals[c + 2 * width] - (totals[c] - totals[c + width])
    finally:
        free(totals)
        let_go(&all_held)


cdef void add_sizes(const int32_t* indices, int64_t* totals, Py_ssize_t width) noexcept nogil:
    """Per channel, how many magnitudes are over 0 and over 1, and their sum ``[3, C]``: channels side by side."""
    cdef int64_t* over_none = totals
    cdef int64_t* over_one = totals + width
    cdef int64_t* sums = totals + 2 * width
    cdef int32_t size
    cdef Py_ssize_t c
    for c in range(width):
        size = (indices[c] ^ indices[c] >> 31) - (indices[c] >> 31)
        over_none[c] += size > 0
        over_one[c] += size > 1
        sums[c] += size


def by_class(buckets, bands, classes, counts, Py_ssize_t rows, Py_ssize_t width):
    """Buckets by class, int64 ``[48, 64]``, zero before; else as :func:`sizes`.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef const uint8_t* given
    cdef const uint8_t* of
    cdef const uint8_t* all_classes
    cdef const uint8_t* here
    cdef int64_t* many
    cdef Py_ssize_t row, c
    all_held.count = 0
    try:
        if rows < 0 or width < 0 or (width and rows > MOST_PLACES // width):
            raise ValueError(f"{rows} x {width} buckets")
        given = take_below(&all_held, buckets, rows * width, BUCKETS)
        of = take_below(&all_held, bands, rows, BANDS)
        all_classes = take_below(&all_held, classes, BANDS * width, CLASSES)
        many = <int64_t*>space(&all_held, counts, 8, CLASSES * BUCKETS)
        with nogil:
            for row in range(rows):
                here = all_classes + of[row] * width
                for c in range(width):
                    many[here[c] * BUCKETS + given[c]] += 1
                given += width
    finally:
        let_go(&all_held)


def extents(buckets, placement, classes, out, Py_ssize_t channels):
    """Extents ``[H, C]`` of all blocks, uint8, and how many symbols they leave to be coded beyond the first pass.

    Args:
        buckets: uint8 ``[N, C]``, below 64.
        placement: of the tokens, see :class:`caufc.codec.transform.grids.Placement`.
        classes: uint8 ``[16, C]``, below 48.
        out: the extents.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef Chunk chunk
    cdef Work work
    cdef const uint8_t* given
    cdef const uint8_t* reach
    cdef uint8_t* to
    cdef Py_ssize_t number, i, c, live = 0
    work.known = NULL
    all_held.count = 0
    try:
        take_chunk(&all_held, &chunk, placement, classes, channels, CLASSES, True)
        given = <const uint8_t*>items(&all_held, buckets, 1, chunk.tokens * channels)
        to = <uint8_t*>space(&all_held, out, 1, chunk.heads * channels)
        make_work(&work, &chunk)
        with nogil:
            note(given, work.known, chunk.tokens * channels)
            reach_blocks(&work, &chunk)
            memcpy(to, work.extents, chunk.heads * channels)
            for number in range(1, chunk.passes):
                for i in range(chunk.order[number].first, chunk.order[number].stop):
                    if bounded(&chunk, number):
                        reach = work.extents + chunk.blocks[i] * channels
                        for c in range(channels):
                            live += reach[c] >= <uint8_t>chunk.order[number].rank
    finally:
        free_work(&work)
        let_go(&all_held)
    return live


def by_context(buckets, placement, classes, context_of, context_of_head, counts, Py_ssize_t channels, bint with_extents):
    """Buckets and extents by class and context, int64 ``[48, 40, 64]``, zero before.

    Args:
        buckets: uint8 ``[N, C]``, below 64.
        placement: of the tokens, see :class:`caufc.codec.transform.grids.Placement`.
        classes: uint8 ``[16, C]``, below 48.
        context_of: uint8 ``[2, 5, 64]``, by distance, number and sum of neighbours, below 40.
        context_of_head: uint8 ``[16]``, of an extent by its head's magnitude, below 40.
        with_extents: whether blocks have extents.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef Chunk chunk
    cdef Work work
    cdef const uint8_t* given
    cdef const uint8_t* contexts
    cdef const uint8_t* heads
    cdef int64_t* to
    cdef Py_ssize_t number
    work.known = NULL
    all_held.count = 0
    try:
        take_chunk(&all_held, &chunk, placement, classes, channels, CLASSES, with_extents)
        given = take_below(&all_held, buckets, chunk.tokens * channels, BUCKETS)
        contexts = take_below(&all_held, context_of, 2 * SURROUNDINGS * SUMS, CONTEXTS)
        heads = take_below(&all_held, context_of_head, MAGNITUDES, CONTEXTS)
        to = <int64_t*>space(&all_held, counts, 8, CLASSES * CONTEXTS * BUCKETS)
        for number in range(chunk.passes):
            if not 0 <= chunk.order[number].rank < BUCKETS:
                raise ValueError(f"rank {chunk.order[number].rank}")
        make_work(&work, &chunk)
        with nogil:
            note(given, work.known, chunk.tokens * channels)
            reach_blocks(&work, &chunk)
            for number in range(chunk.passes):
                count_pass(&work, &chunk, number, given, contexts, to)
            count_extents(&work, &chunk, heads, to)
    finally:
        free_work(&work)
        let_go(&all_held)


cdef void count_pass(const Work* work, const Chunk* chunk, Py_ssize_t number, const uint8_t* buckets,
                     const uint8_t* contexts, int64_t* counts) noexcept nogil:
    cdef Py_ssize_t C = chunk.channels, n = chunk.placed, i, c
    cdef const Pass* one = &chunk.order[number]
    cdef bint near = one.near != 0, by_extent = bounded(chunk, number)
    cdef uint8_t rank = <uint8_t>one.rank, context
    cdef int count, around
    cdef const uint8_t* classes
    cdef const uint8_t* bucket
    cdef const uint8_t* a
    cdef const uint8_t* b
    cdef const uint8_t* d
    cdef const uint8_t* e
    cdef const uint8_t* here
    cdef const uint8_t* last
    cdef const uint8_t* reach = NULL
    for i in range(one.first, one.stop):
        classes, bucket = chunk.classes + chunk.bands[i] * C, buckets + chunk.places[i] * C
        count = neighbours_of(chunk, i)
        here = contexts + (near * SURROUNDINGS + count) * SUMS
        last = contexts + ((near and not chunk.spectral) * SURROUNDINGS + count) * SUMS
        a, b = work.known + chunk.neighbours[i] * C, work.known + chunk.neighbours[n + i] * C
        d, e = work.known + chunk.neighbours[2 * n + i] * C, work.known + chunk.neighbours[3 * n + i] * C
        if by_extent:
            reach = work.extents + chunk.blocks[i] * C
        for c in range(C):
            if by_extent and reach[c] < rank:
                continue
            around = a[c] + b[c] + d[c] + e[c]
            context = last[around] if by_extent and reach[c] == rank else here[around]
            counts[(classes[c] * CONTEXTS + context) * BUCKETS + bucket[c]] += 1


cdef void count_extents(const Work* work, const Chunk* chunk, const uint8_t* heads, int64_t* counts) noexcept nogil:
    cdef Py_ssize_t C = chunk.channels, i, c
    cdef const uint8_t* classes
    cdef const uint8_t* head
    for i in range(chunk.heads):
        classes, head = chunk.classes + chunk.head_bands[i] * C, work.known + chunk.head_places[i] * C
        for c in range(C):
            counts[(classes[c] * CONTEXTS + heads[head[c]]) * BUCKETS + work.extents[i * C + c]] += 1
