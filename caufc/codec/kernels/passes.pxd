# cython: language_level=3
"""Tables of a pass's symbols, and their way to the order of these tables and back (spec, 9.1).

A pass's tokens are in four parts, which are looked at side by side; what is left over goes with the last part.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memset

from .chunk cimport *

cdef extern from "passes.h" nogil:
    void add_magnitudes(
        uint8_t*, const uint8_t*, const uint8_t*, const uint8_t*, const uint8_t*, Py_ssize_t
    )
    void number_one(uint8_t*, const uint8_t*, const uint8_t*, uint32_t*, Py_ssize_t)
    void number_four(uint8_t**, const uint8_t**, const uint8_t**, uint32_t (*)[256], Py_ssize_t)
    void lay_one(uint8_t*, const uint8_t*, const uint8_t*, uint32_t*, Py_ssize_t)
    void lay_four(uint8_t*, const uint8_t**, const uint8_t**, uint32_t (*)[256], Py_ssize_t)
    void place_one(uint8_t*, const uint8_t*, const uint8_t*, uint32_t*, Py_ssize_t)
    void place_four(uint8_t**, const uint8_t*, const uint8_t**, uint32_t (*)[256], Py_ssize_t)

cdef enum:
    LAST = PARTS - 1


cdef inline const uint8_t* row_of(const uint8_t* by_sum, const Chunk* chunk, bint near, int count) noexcept nogil:
    """Tables ``[K, 64]`` by class and sum of so many neighbours' magnitudes; ``by_sum`` is ``[2, 5, K, 64]``."""
    return by_sum + (near * SURROUNDINGS + count) * chunk.kinds * SUMS


cdef inline void number_pass(Work* work, const Chunk* chunk, Py_ssize_t number, const uint8_t* by_sum) noexcept nogil:
    """The tables of a pass's symbols, and where each table's run starts."""
    memset(work.cursor, 0, sizeof(work.cursor))
    if bounded(chunk, number):
        number_reached(work, chunk, number, by_sum)
    else:
        number_all(work, chunk, number, by_sum)
    add_up(work)


cdef inline void number_all(Work* work, const Chunk* chunk, Py_ssize_t number, const uint8_t* by_sum) noexcept nogil:
    cdef const Pass* one = &chunk.order[number]
    cdef Py_ssize_t C = chunk.channels, quarter = (one.stop - one.first) // PARTS, k, i
    cdef bint near = one.near != 0
    cdef int part
    cdef uint8_t* to[PARTS]
    cdef const uint8_t* here[PARTS]
    cdef const uint8_t* classes[PARTS]
    for k in range(quarter):
        for part in range(PARTS):
            i = one.first + part * quarter + k
            to[part] = work.numbers + (i - one.first) * C
            here[part], classes[part] = row_of(by_sum, chunk, near, neighbours_of(chunk, i)), classes_of(chunk, i)
            sum_around(work, chunk, i, to[part])
        number_four(to, here, classes, work.cursor, C)
    for i in range(one.first + PARTS * quarter, one.stop):
        to[0] = work.numbers + (i - one.first) * C
        sum_around(work, chunk, i, to[0])
        here[0] = row_of(by_sum, chunk, near, neighbours_of(chunk, i))
        number_one(to[0], here[0], classes_of(chunk, i), work.cursor[LAST], C)


cdef inline const uint8_t* classes_of(const Chunk* chunk, Py_ssize_t i) noexcept nogil:
    """Of the channels of a placed token ``[C]``."""
    return chunk.classes + chunk.bands[i] * chunk.channels


cdef inline void sum_around(const Work* work, const Chunk* chunk, Py_ssize_t i, uint8_t* to) noexcept nogil:
    """Sums of the magnitudes of a placed token's neighbours ``[C]``."""
    cdef Py_ssize_t C = chunk.channels, n = chunk.placed
    cdef const Py_ssize_t* around = chunk.neighbours + i
    cdef const uint8_t* known = work.known
    if neighbours_of(chunk, i):
        add_magnitudes(
            to, known + around[0] * C, known + around[n] * C, known + around[2 * n] * C, known + around[3 * n] * C, C
        )
    else:
        memset(to, 0, C)


cdef inline void number_reached(
    Work* work, const Chunk* chunk, Py_ssize_t number, const uint8_t* by_sum
) noexcept nogil:
    """The same of those symbols that their blocks' extents reach, in one part."""
    cdef Py_ssize_t C = chunk.channels, n = chunk.placed, i, c
    cdef const Pass* one = &chunk.order[number]
    cdef bint near = one.near != 0
    cdef uint8_t rank = <uint8_t>one.rank, table
    cdef int count
    cdef const uint8_t* classes
    cdef const uint8_t* a
    cdef const uint8_t* b
    cdef const uint8_t* d
    cdef const uint8_t* e
    cdef const uint8_t* here
    cdef const uint8_t* last
    cdef const uint8_t* reach
    cdef uint8_t* to = work.numbers
    for i in range(one.first, one.stop):
        classes, count = classes_of(chunk, i), neighbours_of(chunk, i)
        here = row_of(by_sum, chunk, near, count)
        last = row_of(by_sum, chunk, near and not chunk.spectral, count)
        a, b = work.known + chunk.neighbours[i] * C, work.known + chunk.neighbours[n + i] * C
        d, e = work.known + chunk.neighbours[2 * n + i] * C, work.known + chunk.neighbours[3 * n + i] * C
        reach = work.extents + chunk.blocks[i] * C
        for c in range(C):
            if reach[c] >= rank:
                table = (last if reach[c] == rank else here)[classes[c] * SUMS + a[c] + b[c] + d[c] + e[c]]
                to[0] = table
                to += 1
                work.cursor[0][table] += 1


cdef inline void number_extents(Work* work, const Chunk* chunk, const uint8_t* by_head) noexcept nogil:
    """The tables of all extents; ``by_head`` is ``[K, 16]``, by class and the head's magnitude."""
    cdef Py_ssize_t C = chunk.channels, i, c
    cdef const uint8_t* classes
    cdef const uint8_t* head
    cdef uint8_t* to = work.numbers
    memset(work.cursor, 0, sizeof(work.cursor))
    for i in range(chunk.heads):
        classes = chunk.classes + chunk.head_bands[i] * C
        head = work.known + chunk.head_places[i] * C
        for c in range(C):
            to[c] = by_head[classes[c] * MAGNITUDES + head[c]]
            work.cursor[0][to[c]] += 1
        to += C
    add_up(work)


cdef inline void add_up(Work* work) noexcept nogil:
    """From the parts' counts to where each table's run starts, and each part within it."""
    cdef int table, part
    cdef uint32_t at = 0, count
    for table in range(TABLES):
        work.starts[table] = at
        for part in range(PARTS):
            count = work.cursor[part][table]
            work.cursor[part][table] = at
            at += count
    work.starts[TABLES] = at


cdef inline void lay_pass(
    Work* work, const Chunk* chunk, Py_ssize_t number, const uint8_t* buckets, uint8_t* coded
) noexcept nogil:
    """A pass's symbols from their places to the order of their tables."""
    cdef const Pass* one = &chunk.order[number]
    cdef Py_ssize_t C = chunk.channels, quarter = (one.stop - one.first) // PARTS, k, i
    cdef int part
    cdef const uint8_t* given[PARTS]
    cdef const uint8_t* tables[PARTS]
    if bounded(chunk, number):
        lay_reached(work, chunk, number, buckets, coded)
        return
    for k in range(quarter):
        for part in range(PARTS):
            i = one.first + part * quarter + k
            given[part], tables[part] = buckets + chunk.places[i] * C, work.numbers + (i - one.first) * C
        lay_four(coded, given, tables, work.cursor, C)
    for i in range(one.first + PARTS * quarter, one.stop):
        lay_one(
            coded, buckets + chunk.places[i] * C, work.numbers + (i - one.first) * C, work.cursor[LAST], C
        )


cdef inline void lay_reached(
    Work* work, const Chunk* chunk, Py_ssize_t number, const uint8_t* buckets, uint8_t* coded
) noexcept nogil:
    cdef Py_ssize_t C = chunk.channels, i, c
    cdef const Pass* one = &chunk.order[number]
    cdef uint8_t rank = <uint8_t>one.rank
    cdef const uint8_t* table = work.numbers
    cdef const uint8_t* reach
    cdef const uint8_t* bucket
    for i in range(one.first, one.stop):
        bucket, reach = buckets + chunk.places[i] * C, work.extents + chunk.blocks[i] * C
        for c in range(C):
            if reach[c] >= rank:
                coded[work.cursor[0][table[0]]] = bucket[c]
                work.cursor[0][table[0]] += 1
                table += 1


cdef inline void place_pass(Work* work, const Chunk* chunk, Py_ssize_t number, uint8_t* buckets) noexcept nogil:
    """A pass's symbols from the order of their tables to their places."""
    cdef const Pass* one = &chunk.order[number]
    cdef Py_ssize_t C = chunk.channels, quarter = (one.stop - one.first) // PARTS, k, i
    cdef int part
    cdef uint8_t* to[PARTS]
    cdef const uint8_t* tables[PARTS]
    if bounded(chunk, number):
        place_reached(work, chunk, number, buckets)
        return
    for k in range(quarter):
        for part in range(PARTS):
            i = one.first + part * quarter + k
            to[part], tables[part] = buckets + chunk.places[i] * C, work.numbers + (i - one.first) * C
        place_four(to, work.run, tables, work.cursor, C)
    for i in range(one.first + PARTS * quarter, one.stop):
        place_one(
            buckets + chunk.places[i] * C, work.run, work.numbers + (i - one.first) * C, work.cursor[LAST], C
        )


cdef inline void place_reached(Work* work, const Chunk* chunk, Py_ssize_t number, uint8_t* buckets) noexcept nogil:
    cdef Py_ssize_t C = chunk.channels, i, c
    cdef const Pass* one = &chunk.order[number]
    cdef uint8_t rank = <uint8_t>one.rank
    cdef const uint8_t* table = work.numbers
    cdef const uint8_t* reach
    cdef uint8_t* to
    for i in range(one.first, one.stop):
        to, reach = buckets + chunk.places[i] * C, work.extents + chunk.blocks[i] * C
        for c in range(C):
            if reach[c] >= rank:
                to[c] = work.run[work.cursor[0][table[0]]]
                work.cursor[0][table[0]] += 1
                table += 1
