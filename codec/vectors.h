/* Rows and blocks of samples, where plain loops stay slow: vector extensions of GCC and Clang, on any machine.

   Each function has a twin of plain Python in vectors.py, which says what it does; vectors.pxd tells Cython.
   A pointer is where a row begins; strides are in samples. Nothing here checks a bound. */

#include <string.h>

typedef unsigned char u8x8 __attribute__((vector_size(8)));
typedef unsigned char u8x16 __attribute__((vector_size(16)));
typedef short s16x8 __attribute__((vector_size(16)));
typedef short s16x16 __attribute__((vector_size(32)));
typedef unsigned short u16x8 __attribute__((vector_size(16)));
typedef unsigned short u16x16 __attribute__((vector_size(32)));
typedef int s32x8 __attribute__((vector_size(32)));
typedef int s32x16 __attribute__((vector_size(64)));

/* Inlined, a function would forget that its rows do not overlap. */
#define BLOCK static __attribute__((noinline, unused))
#define LOAD(type, p) ({ type v_; memcpy(&v_, (p), sizeof v_); v_; })
#define STORE(p, v) ({ __typeof__(v) v_ = (v); memcpy((p), &v_, sizeof v_); })
#define WIDE(type, v) __builtin_convertvector((v), type)

/* A block of means of two blocks, rounded up at a half. */
BLOCK void mean_block(unsigned char *restrict target, long target_stride, const unsigned char *restrict a,
                      const unsigned char *restrict b, long stride, int rows, int columns)
{
    for (int row = 0; row < rows; row++) {
        int i = 0;
        for (; i + 16 <= columns; i += 16)
            for (int k = i; k < i + 16; k++)
                target[k] = (a[k] + b[k] + 1) >> 1;
        for (; i + 8 <= columns; i += 8)
            for (int k = i; k < i + 8; k++)
                target[k] = (a[k] + b[k] + 1) >> 1;
        for (; i < columns; i++)
            target[i] = (a[i] + b[i] + 1) >> 1;
        target += target_stride, a += stride, b += stride;
    }
}

/* A block between the samples of another: `down` and `right` sixteenths beside it. */
BLOCK void bilinear_block(unsigned char *restrict target, long target_stride, const unsigned char *restrict above,
                          long stride, int down, int right, int rows, int columns)
{
    const unsigned char *restrict below = above + stride;
    unsigned short a = (16 - down) * (16 - right), b = (16 - down) * right, c = down * (16 - right), d = down * right;
    for (int row = 0; row < rows; row++) {
        int i = 0;
        for (; i + 16 <= columns; i += 16) {
            const unsigned char *restrict p = above + i, *restrict q = below + i;
            unsigned char *restrict t = target + i;
            for (int k = 0; k < 16; k++) {
                unsigned short sum = a * p[k] + b * p[k + 1] + c * q[k] + d * q[k + 1] + 128; /* 256 · 255 + 128 */
                t[k] = sum >> 8;
            }
        }
        for (; i + 8 <= columns; i += 8) { /* as a loop, gcc 12 takes three times as long */
            u16x8 sum = a * WIDE(u16x8, LOAD(u8x8, above + i)) + b * WIDE(u16x8, LOAD(u8x8, above + i + 1)) +
                        c * WIDE(u16x8, LOAD(u8x8, below + i)) + d * WIDE(u16x8, LOAD(u8x8, below + i + 1)) + 128;
            STORE(target + i, WIDE(u8x8, sum >> 8));
        }
        for (; i < columns; i++)
            target[i] = (a * above[i] + b * above[i + 1] + c * below[i] + d * below[i + 1] + 128) >> 8;
        target += target_stride, above += stride, below += stride;
    }
}

/* Σ down[j] · across[i] · sample of 8×8 samples; sums down must fit 16 bits. */
static inline int taps_8x8(const unsigned char *samples, long stride, const short *down, const short *across)
{
    s16x8 sums = {0};
    for (int k = 0; k < 8; k++)
        sums += down[k] * WIDE(s16x8, LOAD(u8x8, samples + k * stride));
    s32x8 products = WIDE(s32x8, sums) * WIDE(s32x8, LOAD(s16x8, across));
    int total = 0;
    for (int i = 0; i < 8; i++)
        total += products[i];
    return total;
}

/* Σ (a − mean of b and c)² of a block. */
static inline int mean_squared_errors(const unsigned char *a, long a_stride, const unsigned char *b,
                                      const unsigned char *c, long stride, int rows, int columns, int bound)
{
    int total = 0;
    for (int row = 0; row < rows && total < bound; row += 8) {
        int height = rows - row < 8 ? rows - row : 8;
        s32x8 sums = {0};
        for (int j = 0; j < height; j++) {
            int i = 0;
            for (; i + 8 <= columns; i += 8) {
                u16x8 mean = (WIDE(u16x8, LOAD(u8x8, b + i)) + WIDE(u16x8, LOAD(u8x8, c + i)) + 1) >> 1;
                s32x8 error = WIDE(s32x8, WIDE(s16x8, LOAD(u8x8, a + i)) - (s16x8)mean);
                sums += error * error;
            }
            for (; i < columns; i++) {
                int error = a[i] - ((b[i] + c[i] + 1) >> 1);
                total += error * error;
            }
            a += a_stride;
            b += stride;
            c += stride;
        }
        for (int i = 0; i < 8; i++)
            total += sums[i];
    }
    return total;
}
