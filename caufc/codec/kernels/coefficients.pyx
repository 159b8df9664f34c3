# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Symbols of a chunk in one pass: contexts, grouping by table, rANS, extra bits (spec, 9.1 to 9.3)."""

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from .buffers cimport Held, items, length, let_go, space
from .chunk cimport *
from .passes cimport *
from .rans cimport Stack, Tables, begin, pulled_bits, tables_in
from .runs cimport Run, open_run, pull_all, pull_both

cdef enum:
    STRETCH = 64


cdef struct Job:
    Held held
    Chunk chunk
    Work work
    Stack stack
    const Tables* tables
    const uint8_t* sums
    const uint8_t* heads
    uint8_t* buckets     # [N, C]
    uint32_t* large      # places with extra bits, in order, then by bucket
    int32_t* symbols     # [N, C]
    Py_ssize_t total     # N C


def decode(words, placement, classes, by_sum, by_head, tables, symbols, Py_ssize_t channels, Py_ssize_t kinds, bint extents):
    """Fill ``symbols`` of a chunk; whether its words are used up.

    Attack: contexts that name a table that is not there. Bound: every number in ``by_sum`` and ``by_head`` is looked at
    before the first symbol. Attack: words that end early, or mean nothing. Bound: any words give symbols below 64 and so
    many extra bits as these say; the number of symbols is the chunk's, and never depends on words.

    Args:
        words: uint32 ``[W]``.
        placement: of the chunk's tokens, see :class:`caufc.codec.transform.grids.Placement`.
        classes: uint8 ``[16, C]``, below ``kinds``, K.
        by_sum: uint8 ``[2, 5, K, 64]``, the table by distance, number and sum of neighbours, and by class.
        by_head: uint8 ``[K, 16]``, an extent's table by class and its head's magnitude.
        tables: of :func:`caufc.codec.kernels.rans.tables_of`, 64 symbols each.
        symbols: int32 ``[N, C]``.
        extents: whether blocks have extents.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Job job
    blank(&job)
    try:
        take_job(&job, (words, placement, classes, by_sum, by_head, tables, symbols, channels, kinds, extents))
        with nogil:
            decode_together(&job, NULL)
    finally:
        close(&job)
    return done(&job)


def decode_both(one, other):
    """The same for two chunks at a time, whose coders' steps take turns: each waits while the other computes.

    Args:
        one, other: arguments of :func:`decode`, as tuples.

    Returns:
        Whether the words of each are used up.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Job first, second
    blank(&first)
    blank(&second)
    try:
        take_job(&first, one)
        take_job(&second, other)
        with nogil:
            decode_together(&first, &second)
    finally:
        close(&first)
        close(&second)
    return done(&first), done(&second)


cdef void blank(Job* job) noexcept:
    job.held.count = 0
    job.work.known = job.buckets = NULL
    job.large = NULL


cdef int take_job(Job* job, tuple given) except -1:
    """Fill in a job; nothing of it is used before all of it is checked."""
    cdef Py_ssize_t channels, kinds
    cdef bint extents
    words, placement, classes, by_sum, by_head, tables, symbols, channels, kinds, extents = given
    job.tables = tables_in(tables)
    job.stack.words = <const uint32_t*>items(&job.held, words, 4, -1)
    begin(&job.stack, job.stack.words, length(&job.held))
    take_chunk(&job.held, &job.chunk, placement, classes, channels, kinds, extents)
    job.sums, job.heads = take_tables(&job.held, by_sum, by_head, kinds, job.tables.count)
    if job.tables.size != BUCKETS:
        raise ValueError(f"tables of {job.tables.size} symbols")
    job.total = job.chunk.tokens * channels
    job.symbols = <int32_t*>space(&job.held, symbols, 4, job.total)
    make_work(&job.work, &job.chunk)
    job.buckets = <uint8_t*>malloc(job.total + 1)
    job.large = <uint32_t*>malloc((2 * job.total + 2) * sizeof(uint32_t))
    if not job.buckets or not job.large:
        raise MemoryError
    memset(job.buckets, 0, job.total)
    return 0


cdef void close(Job* job) noexcept:
    free(job.large)
    free(job.buckets)
    free_work(&job.work)
    let_go(&job.held)


cdef bint done(const Job* job) noexcept:
    """Whether its words are used up."""
    return job.stack.left == 0 and job.stack.state == 0


cdef void decode_together(Job* one, Job* other) noexcept nogil:
    """One job, or two of them, pass by pass."""
    cdef Py_ssize_t number, passes = one.chunk.passes
    if other:
        passes = max(passes, other.chunk.passes)
    for number in range(passes):
        pull_together(numbered(one, number), numbered(other, number))
        placed(one, number)
        placed(other, number)
        if number == 0:
            pull_together(numbered_extents(one), numbered_extents(other))
            placed_extents(one)
            placed_extents(other)
    finish(one)
    if other:
        finish(other)


cdef Job* numbered(Job* job, Py_ssize_t number) noexcept nogil:
    """The job, if it has such a pass."""
    if not job or number >= job.chunk.passes:
        return NULL
    number_pass(&job.work, &job.chunk, number, job.sums)
    return job


cdef Job* numbered_extents(Job* job) noexcept nogil:
    """The job, if it has extents."""
    if not job or not job.chunk.heads or not job.chunk.passes:
        return NULL
    number_extents(&job.work, &job.chunk, job.heads)
    return job


cdef void placed(Job* job, Py_ssize_t number) noexcept nogil:
    if job and number < job.chunk.passes:
        place_pass(&job.work, &job.chunk, number, job.buckets)
        note_pass(&job.work, &job.chunk, number, job.buckets)


cdef void placed_extents(Job* job) noexcept nogil:
    if job and job.chunk.heads and job.chunk.passes:
        place_extents(&job.work, &job.chunk)


cdef void finish(Job* job) noexcept nogil:
    """Buckets to symbols."""
    cdef Py_ssize_t many = widen(job.buckets, job.symbols, job.total, job.large)
    pull_extra(&job.stack, job.buckets, job.symbols, &job.work, job.large, many, job.large + job.total + 1)


cdef (const uint8_t*, const uint8_t*) take_tables(
    Held* all_held, object by_sum, object by_head, Py_ssize_t kinds, Py_ssize_t count
) except *:
    """Tables by sum and by head, all of them below ``count``."""
    cdef Py_ssize_t i, size = 2 * SURROUNDINGS * kinds * SUMS
    cdef const uint8_t* sums = <const uint8_t*>items(all_held, by_sum, 1, size)
    cdef const uint8_t* heads = <const uint8_t*>items(all_held, by_head, 1, kinds * MAGNITUDES)
    cdef int most = 0
    for i in range(size):
        most = max(most, sums[i])
    for i in range(kinds * MAGNITUDES):
        most = max(most, heads[i])
    if most >= count:
        raise ValueError(f"table {most} of {count}")
    return sums, heads


cdef void pull_together(Job* one, Job* other) noexcept nogil:
    """Symbols of a job's run, or those of two jobs by turns; either may be missing."""
    cdef Run a, b
    cdef bint more, others
    if not one or not other:
        one = one if one else other
        if one:
            pull_all(&a, open_run(&a, &one.stack, &one.work, one.tables))
            one.stack = a.stack
        return
    more = open_run(&a, &one.stack, &one.work, one.tables)
    others = open_run(&b, &other.stack, &other.work, other.tables)
    pull_both(&a, more, &b, others)
    one.stack, other.stack = a.stack, b.stack


cdef void place_extents(Work* work, const Chunk* chunk) noexcept nogil:
    cdef Py_ssize_t i
    cdef uint8_t table
    for i in range(chunk.heads * chunk.channels):
        table = work.numbers[i]
        work.extents[i] = work.run[work.cursor[0][table]]
        work.cursor[0][table] += 1


cdef Py_ssize_t widen(const uint8_t* buckets, int32_t* symbols, Py_ssize_t total, uint32_t* large) noexcept nogil:
    """Buckets as symbols; how many have extra bits, and where they stand."""
    cdef Py_ssize_t first = 0, stop, i, many = 0
    cdef uint8_t most
    while first < total:
        stop, most = min(first + STRETCH, total), 0
        for i in range(first, stop):
            symbols[i] = buckets[i]
            most |= buckets[i]
        if most >= DIRECT:
            for i in range(first, stop):
                large[many] = <uint32_t>i
                many += buckets[i] >= DIRECT
        first = stop
    return many


cdef void pull_extra(
    Stack* stack, const uint8_t* buckets, int32_t* symbols, Work* work, const uint32_t* large, Py_ssize_t many,
    uint32_t* places
) noexcept nogil:
    """Add the extra bits, bucket by bucket, the highest 16 bits first."""
    cdef Stack now = stack[0]
    cdef Py_ssize_t i
    cdef uint32_t at
    cdef int bucket, bits, piece
    memset(work.cursor, 0, sizeof(work.cursor))
    for i in range(many):
        work.cursor[0][buckets[large[i]]] += 1
    add_up(work)
    for i in range(many):
        bucket = buckets[large[i]]
        places[work.cursor[0][bucket]] = large[i]
        work.cursor[0][bucket] += 1
        symbols[large[i]] = 0
    for bucket in range(DIRECT, BUCKETS):
        bits = bits_of(bucket)
        while bits > 0:
            piece = min(bits, PIECE_BITS)
            bits -= piece
            for at in range(work.starts[bucket], work.starts[bucket + 1]):
                symbols[places[at]] = symbols[places[at]] << piece | <int32_t>pulled_bits(&now, piece)
        for at in range(work.starts[bucket], work.starts[bucket + 1]):
            symbols[places[at]] += <int32_t>first_of(bucket)
    stack[0] = now


def group(symbols, placement, classes, by_sum, by_head, run_tables, run_stops, coded, large, rests,
          Py_ssize_t channels, Py_ssize_t kinds, bint extents):
    """Buckets and extra bits in the order in which they are coded; how many runs of one table each there are.

    Attack: symbols that no bucket holds. Bound: all are from 0 to 2^28 - 1, else ValueError.

    Args:
        symbols: int32 ``[N, C]``.
        placement, classes, by_sum, by_head, kinds, extents: as for :func:`decode`; 256 tables are within reach.
        run_tables: uint8 ``[(P + 1) * 256]``, the table of every run of the P passes and of the extents.
        run_stops: int64, as many: where it ends in ``coded``.
        coded: uint8 ``[(N + H) * C]``, for H heads; without extents, ``[N * C]``.
        large: int64 ``[64]``, how many symbols have each bucket with extra bits.
        rests: int32 ``[N, C]``, of which so many are written: how far such symbols lie behind their buckets' first.

    Raises:
        ValueError: for arrays that do not fit each other.
    """
    cdef Held all_held
    cdef Chunk chunk
    cdef Work work
    cdef Runs runs
    cdef const int32_t* given
    cdef const uint8_t* sums
    cdef const uint8_t* heads
    cdef Extra extra
    cdef uint8_t* found = NULL
    cdef Py_ssize_t number, total
    cdef bint fits
    work.known, extra.places = NULL, NULL
    all_held.count = 0
    try:
        take_chunk(&all_held, &chunk, placement, classes, channels, kinds, extents)
        sums, heads = take_tables(&all_held, by_sum, by_head, kinds, TABLES)
        total = chunk.tokens * channels
        given = <const int32_t*>items(&all_held, symbols, 4, total)
        runs.tables = <uint8_t*>space(&all_held, run_tables, 1, (chunk.passes + 1) * TABLES)
        runs.stops = <long long*>space(&all_held, run_stops, 8, (chunk.passes + 1) * TABLES)
        runs.coded = <uint8_t*>space(&all_held, coded, 1, total + chunk.heads * channels)
        runs.count = runs.filled = 0
        extra.counts = <long long*>space(&all_held, large, 8, BUCKETS)
        extra.rests = <int32_t*>space(&all_held, rests, 4, total)
        make_work(&work, &chunk)
        found, extra.places = <uint8_t*>malloc(total + 1), <uint32_t*>malloc((total + 1) * sizeof(uint32_t))
        if not found or not extra.places:
            raise MemoryError
        with nogil:
            fits = bucketize(given, found, &extra, total)
            if fits:
                lay_rests(given, found, &extra)
                note(found, work.known, total)
                reach_blocks(&work, &chunk)
                for number in range(chunk.passes):
                    number_pass(&work, &chunk, number, sums)
                    lay_pass(&work, &chunk, number, found, runs.coded + runs.filled)
                    close_runs(&runs, &work)
                    if number == 0 and chunk.heads:
                        number_extents(&work, &chunk, heads)
                        lay_extents(&runs, &work, &chunk)
        if not fits:
            raise ValueError("symbols beyond all buckets")
    finally:
        free(extra.places)
        free(found)
        free_work(&work)
        let_go(&all_held)
    return runs.count


cdef struct Runs:
    uint8_t* tables
    long long* stops
    uint8_t* coded
    Py_ssize_t count     # of runs
    Py_ssize_t filled    # of coded


cdef struct Extra:
    uint32_t* places     # of symbols with extra bits, in order
    Py_ssize_t many      # of them
    long long* counts    # by bucket [64]
    int32_t* rests       # in order of their buckets


cdef bint bucketize(const int32_t* symbols, uint8_t* buckets, Extra* extra, Py_ssize_t total) noexcept nogil:
    """Whether all symbols have a bucket; which ones, and what has extra bits."""
    cdef Py_ssize_t first = 0, stop, i, many = 0
    cdef uint32_t* places = extra.places
    cdef uint32_t most, at
    while first < total:
        stop, most = min(first + STRETCH, total), 0
        for i in range(first, stop):
            buckets[i] = <uint8_t>symbols[i]
            most |= <uint32_t>symbols[i]
        if most >> 28:
            return False
        if most >= DIRECT:
            for i in range(first, stop):
                places[many] = <uint32_t>i
                many += symbols[i] >= DIRECT
        first = stop
    memset(extra.counts, 0, BUCKETS * sizeof(long long))
    for i in range(many):
        at = places[i]
        buckets[at] = bucket_of(<uint32_t>symbols[at])
        extra.counts[buckets[at]] += 1
    extra.many = many
    return True


cdef void lay_rests(const int32_t* symbols, const uint8_t* buckets, Extra* extra) noexcept nogil:
    """Extra bits, grouped by bucket."""
    cdef Py_ssize_t i
    cdef Py_ssize_t[BUCKETS] cursor
    cdef Py_ssize_t before = 0
    cdef uint32_t at
    cdef int bucket
    for bucket in range(BUCKETS):
        cursor[bucket] = before
        before += extra.counts[bucket]
    for i in range(extra.many):
        at = extra.places[i]
        bucket = buckets[at]
        extra.rests[cursor[bucket]] = symbols[at] - <int32_t>first_of(bucket)
        cursor[bucket] += 1


cdef void lay_extents(Runs* runs, Work* work, const Chunk* chunk) noexcept nogil:
    cdef Py_ssize_t i
    cdef uint8_t* coded = runs.coded + runs.filled
    for i in range(chunk.heads * chunk.channels):
        coded[work.cursor[0][work.numbers[i]]] = work.extents[i]
        work.cursor[0][work.numbers[i]] += 1
    close_runs(runs, work)


cdef void close_runs(Runs* runs, const Work* work) noexcept nogil:
    """Note the tables that occur and where their runs end."""
    cdef int table
    for table in range(TABLES):
        if work.starts[table] != work.starts[table + 1]:
            runs.tables[runs.count] = <uint8_t>table
            runs.stops[runs.count] = runs.filled + work.starts[table + 1]
            runs.count += 1
    runs.filled += work.starts[TABLES]
