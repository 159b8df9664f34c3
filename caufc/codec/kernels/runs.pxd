# cython: language_level=3
"""Symbols of runs from stacks of words: of one chunk, or of two by turns, whose coders then wait for each other's time."""

from libc.stdint cimport uint8_t, uint32_t

from .chunk cimport Work
from .rans cimport Stack, Table, Tables, pulled, table_at

cdef struct Run:
    Stack stack
    Table table
    const Tables* tables
    Py_ssize_t number        # of the table
    const uint32_t* starts   # [T + 1]
    uint32_t place, stop     # of the table's symbols
    uint8_t* symbols


cdef inline bint open_run(Run* run, const Stack* stack, Work* work, const Tables* tables) noexcept nogil:
    """Whether it has a symbol; starts and symbols are the work's."""
    run.stack, run.starts, run.symbols, run.tables = stack[0], work.starts, work.run, tables
    run.number, run.place, run.stop = -1, 0, 0
    return next_table(run)


cdef inline bint next_table(Run* run) noexcept nogil:
    """Go on to the next table that has symbols, if there is one."""
    run.number += 1
    while run.number < run.tables.count and run.starts[run.number] == run.starts[run.number + 1]:
        run.number += 1
    if run.number >= run.tables.count:
        return False
    run.table = table_at(run.tables, run.number)
    run.place, run.stop = run.starts[run.number], run.starts[run.number + 1]
    return True


cdef inline void pull_all(Run* run, bint more) noexcept nogil:
    """The symbols of a run, table by table."""
    while more:
        pull_one(run)
        more = next_table(run)


cdef inline void pull_both(Run* one, bint more, Run* other, bint others) noexcept nogil:
    """Those of two runs by turns, as long as both have any."""
    while more and others:
        pull_two(one, other, min(one.stop - one.place, other.stop - other.place))
        if one.place == one.stop:
            more = next_table(one)
        if other.place == other.stop:
            others = next_table(other)
    pull_all(one, more)
    pull_all(other, others)


cdef inline void pull_one(Run* run) noexcept nogil:
    cdef Stack now = run.stack
    cdef Table table = run.table
    cdef uint32_t i
    for i in range(run.place, run.stop):
        run.symbols[i] = <uint8_t>pulled(&now, &table)
    run.stack, run.place = now, run.stop


cdef inline void pull_two(Run* one, Run* other, uint32_t count) noexcept nogil:
    cdef Stack left = one.stack, right = other.stack
    cdef Table of_left = one.table, of_right = other.table
    cdef uint8_t* to_left = one.symbols + one.place
    cdef uint8_t* to_right = other.symbols + other.place
    cdef uint32_t i
    for i in range(count):
        to_left[i] = <uint8_t>pulled(&left, &of_left)
        to_right[i] = <uint8_t>pulled(&right, &of_right)
    one.stack, other.stack = left, right
    one.place += count
    other.place += count
