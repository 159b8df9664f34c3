/* Quotients of rANS states by a table's frequencies, by a product instead of a division.

   With 2^shift the least power of two from 2 on that is no less than a frequency f, K = 63 + shift and r = 2^K mod f, one
   of two numbers of 64 bits gives the quotient of every state x: (2^K + f - r) / f where f - r <= 2^(shift - 1), as
   x (2^K + f - r) / (f 2^K); else (2^K - r) / f, as (x + 1) (2^K - r) / (f 2^K) (Robison 2005, N-bit unsigned division
   via N-bit multiply-add). */

#include <stdint.h>

#if defined(_MSC_VER)
#include <intrin.h>
#define INLINE static __inline
INLINE uint64_t high_half(uint64_t one, uint64_t other, uint64_t more) {
    uint64_t high, low = _umul128(one, other, &high);
    return high + (low + more < more);
}
#else
#define INLINE static inline
INLINE uint64_t high_half(uint64_t one, uint64_t other, uint64_t more) {
    return (uint64_t)(((unsigned __int128)one * other + more) >> 64);
}
#endif

/* The least shift from 1 on with frequency <= 2^shift. */
INLINE int shift_of(uint32_t frequency) {
    int shift = 1;
    while ((uint32_t)1 << shift < frequency) {
        shift++;
    }
    return shift;
}

/* The number for frequencies up to 2^24; whether it is for x + 1. */
INLINE uint64_t inverse_of(uint32_t frequency, int shift, int* of_next) {
    const uint64_t whole = (uint64_t)1 << (31 + shift), high = whole / frequency, left = (whole % frequency) << 32;
    const uint64_t below = (high << 32) + left / frequency, rest = left % frequency;
    *of_next = 0;
    if (frequency == 1) {
        *of_next = 1;
        return UINT64_MAX;
    }
    if (rest == 0) return below;
    *of_next = frequency - rest > (uint64_t)1 << (shift - 1);
    return *of_next ? below : below + 1;
}

/* The state divided by the frequency; ``more`` is the inverse again where that is for x + 1, else 0. */
INLINE uint64_t quotient_of(uint64_t state, uint64_t inverse, uint64_t more, int shift) {
    return high_half(state, inverse, more) >> (shift - 1);
}
