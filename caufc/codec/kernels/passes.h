/* A pass's symbols by table, of four tokens side by side: each is of a part of the pass that has counts and cursors of
   its own, so that no step waits for the one before. */

#include <stddef.h>
#include <stdint.h>

#include "clones.h"

enum { PARTS = 4, OF_TABLES = 256, OF_SUMS = 64 };

/* Sums of the magnitudes of a token's four neighbours. */
INLINE void add_magnitudes(uint8_t* RESTRICT to, const uint8_t* a, const uint8_t* b, const uint8_t* d, const uint8_t* e,
                           ptrdiff_t channels) {
    for (ptrdiff_t c = 0; c < channels; c++) to[c] = (uint8_t)(a[c] + b[c] + d[c] + e[c]);
}

/* From sums to tables, which are counted. */
INLINE void number_one(uint8_t* to, const uint8_t* here, const uint8_t* classes, uint32_t* counts, ptrdiff_t channels) {
    for (ptrdiff_t c = 0; c < channels; c++) {
        const uint8_t table = here[classes[c] * OF_SUMS + to[c]];
        to[c] = table;
        counts[table]++;
    }
}

INLINE void number_four(uint8_t* const* to, const uint8_t* const* here, const uint8_t* const* classes,
                        uint32_t (*counts)[OF_TABLES], ptrdiff_t channels) {
    uint8_t *to0 = to[0], *to1 = to[1], *to2 = to[2], *to3 = to[3];
    const uint8_t *here0 = here[0], *here1 = here[1], *here2 = here[2], *here3 = here[3];
    const uint8_t *of0 = classes[0], *of1 = classes[1], *of2 = classes[2], *of3 = classes[3];
    for (ptrdiff_t c = 0; c < channels; c++) {
        const uint8_t one = here0[of0[c] * OF_SUMS + to0[c]], two = here1[of1[c] * OF_SUMS + to1[c]];
        const uint8_t three = here2[of2[c] * OF_SUMS + to2[c]], four = here3[of3[c] * OF_SUMS + to3[c]];
        to0[c] = one;
        to1[c] = two;
        to2[c] = three;
        to3[c] = four;
        counts[0][one]++;
        counts[1][two]++;
        counts[2][three]++;
        counts[3][four]++;
    }
}

/* Symbols of a token to the order of their tables. */
INLINE void lay_one(uint8_t* coded, const uint8_t* buckets, const uint8_t* tables, uint32_t* cursor,
                    ptrdiff_t channels) {
    for (ptrdiff_t c = 0; c < channels; c++) {
        const uint32_t at = cursor[tables[c]]++;
        coded[at] = buckets[c];
    }
}

INLINE void lay_four(uint8_t* coded, const uint8_t* const* buckets, const uint8_t* const* tables,
                     uint32_t (*cursor)[OF_TABLES], ptrdiff_t channels) {
    const uint8_t *from0 = buckets[0], *from1 = buckets[1], *from2 = buckets[2], *from3 = buckets[3];
    const uint8_t *of0 = tables[0], *of1 = tables[1], *of2 = tables[2], *of3 = tables[3];
    for (ptrdiff_t c = 0; c < channels; c++) {
        const uint32_t one = cursor[0][of0[c]]++, two = cursor[1][of1[c]]++;
        const uint32_t three = cursor[2][of2[c]]++, four = cursor[3][of3[c]]++;
        coded[one] = from0[c];
        coded[two] = from1[c];
        coded[three] = from2[c];
        coded[four] = from3[c];
    }
}

/* The way back: symbols of a token from the order of their tables. */
INLINE void place_one(uint8_t* to, const uint8_t* run, const uint8_t* tables, uint32_t* cursor, ptrdiff_t channels) {
    for (ptrdiff_t c = 0; c < channels; c++) {
        const uint32_t at = cursor[tables[c]]++;
        to[c] = run[at];
    }
}

INLINE void place_four(uint8_t* const* to, const uint8_t* run, const uint8_t* const* tables,
                       uint32_t (*cursor)[OF_TABLES], ptrdiff_t channels) {
    uint8_t *to0 = to[0], *to1 = to[1], *to2 = to[2], *to3 = to[3];
    const uint8_t *of0 = tables[0], *of1 = tables[1], *of2 = tables[2], *of3 = tables[3];
    for (ptrdiff_t c = 0; c < channels; c++) {
        const uint32_t one = cursor[0][of0[c]]++, two = cursor[1][of1[c]]++;
        const uint32_t three = cursor[2][of2[c]]++, four = cursor[3][of3[c]]++;
        to0[c] = run[one];
        to1[c] = run[two];
        to2[c] = run[three];
        to3[c] = run[four];
    }
}
