# cython: language_level=3
"""Arrays as pointers: what a kernel is given, checked before any pointer is used, and let go at its end.

Attack: an array that is shorter than the loops that read it. Bound: items of the size and of the number that the
kernel asks for, in one piece and aligned, else ValueError. What stands in an array is checked by the kernel that reads it.
"""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

cdef enum:
    MOST_HELD = 24
    MOST_VALUES = 0x7fffffff

cdef struct Held:
    Py_buffer views[MOST_HELD]
    int count


cdef inline void* held(Held* all_held, object array, Py_ssize_t itemsize, Py_ssize_t count, bint writable) except? NULL:
    """The array's items; -1 for any number of them."""
    if all_held.count == MOST_HELD:
        raise ValueError("a kernel with too many arrays")
    cdef Py_buffer* view = &all_held.views[all_held.count]
    PyObject_GetBuffer(array, view, PyBUF_C_CONTIGUOUS | (PyBUF_WRITABLE if writable else 0))
    all_held.count += 1
    if view.itemsize != itemsize or view.len % itemsize or (count >= 0 and view.len // itemsize != count):
        raise ValueError(f"an array of {view.len} bytes in items of {view.itemsize}, not {count} of {itemsize}")
    if view.len and <size_t>view.buf % itemsize:
        raise ValueError(f"items of {itemsize} bytes at address {<size_t>view.buf}")
    return view.buf


cdef inline const void* items(Held* all_held, object array, Py_ssize_t itemsize, Py_ssize_t count) except? NULL:
    """The items of an array that is read."""
    return held(all_held, array, itemsize, count, False)


cdef inline void* space(Held* all_held, object array, Py_ssize_t itemsize, Py_ssize_t count) except? NULL:
    """The items of an array that is written."""
    return held(all_held, array, itemsize, count, True)


cdef inline Py_ssize_t length(Held* all_held) noexcept:
    """Items of the array that was taken last."""
    cdef Py_buffer* view = &all_held.views[all_held.count - 1]
    return view.len // view.itemsize


cdef inline int check_size(Py_ssize_t rows, Py_ssize_t width) except -1:
    """Refuse matrices of 2^31 values or more."""
    if rows < 0 or width < 0 or (width and rows > MOST_VALUES // width):
        raise ValueError(f"{rows} x {width} values")
    return 0


cdef inline void let_go(Held* all_held) noexcept:
    """All arrays."""
    while all_held.count:
        all_held.count -= 1
        PyBuffer_Release(&all_held.views[all_held.count])
