/* Quotients of rANS states by a table's frequencies, by a product instead of a division. */

#include <stdint.h>

#if defined(_MSC_VER)
#include <intrin.h>
#define HIGH_HALF(one, other) __umulh(one, other)
#define INLINE static __inline
#else
#define HIGH_HALF(one, other) ((uint64_t)(((unsigned __int128)(one) * (other)) >> 64))
#define INLINE static inline
#endif

/* The least shift from 1 on with frequency <= 2^shift. */
INLINE int shift_of(uint32_t frequency) {
    int shift = 1;
    while ((uint32_t)1 << shift < frequency) {
        shift++;
    }
    return shift;
}

/* 2^(63 + shift) / frequency, rounded down, for frequencies up to 2^24; of 1, one less, which 64 bits hold. */
INLINE uint64_t inverse_of(uint32_t frequency, int shift) {
    uint64_t whole = (uint64_t)1 << (31 + shift), high = whole / frequency, left = whole % frequency;
    return frequency == 1 ? UINT64_MAX : (high << 32) + (left << 32) / frequency;
}

/* The state divided by the frequency: the product is right or one too small. */
INLINE uint64_t quotient_of(uint64_t state, uint64_t inverse, int shift, uint32_t frequency) {
    uint64_t found = HIGH_HALF(state, inverse) >> (shift - 1);
    return found + (state - found * frequency >= frequency);
}
