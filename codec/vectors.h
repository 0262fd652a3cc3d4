/* Rows of numbers as vectors, where a compiler does too little by itself; codec/vectors.py says what each function does.
   With SAMPLE_BITS of 16 it is for kernels of pictures of more than 8 bits a sample.

   A function of Cython gets views, of which only the address of the data is used: nothing here checks a place.
   Vectors are those of GCC and Clang, so that every processor has them; x86 multiplies pairs of 16 bits at once. */

#ifndef CODEC_VECTORS_H
#define CODEC_VECTORS_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__AVX2__)
#define WORDS 8
#else
#define WORDS 4
#endif
#define LANES 16
#define AT(type, view, place) ((type *)(view).data + (place))
#define PLACE(type, view, y, x) ((type *)((view).data + (y) * (view).strides[0]) + (x))

#ifndef SAMPLE_BITS
#define SAMPLE_BITS 8
#endif
#if SAMPLE_BITS == 8
typedef uint8_t Sample;
typedef uint8_t Tapped;
#else
typedef uint16_t Sample;
typedef int16_t Tapped;
#endif

typedef int32_t Words __attribute__((vector_size(4 * WORDS)));
typedef float Reals __attribute__((vector_size(4 * WORDS)));

#if defined(__AVX2__)
/* 8 samples as 32 bits; 8 of one tap in turn with 8 of another, as 16 bits. */
static inline __m256i eight_at(const Tapped *samples) {
#if SAMPLE_BITS == 8
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)samples));
#else
    return _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)samples));
#endif
}
static inline void eights_at(const Tapped *one, const Tapped *other, __m256i *first, __m256i *second) {
    __m128i a = _mm_loadu_si128((const __m128i *)one), b = _mm_loadu_si128((const __m128i *)other);
#if SAMPLE_BITS == 8
    *first = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)), *second = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
#else
    *first = _mm256_set_m128i(_mm_unpackhi_epi16(a, b), _mm_unpacklo_epi16(a, b));
    a = _mm_loadu_si128((const __m128i *)(one + 8)), b = _mm_loadu_si128((const __m128i *)(other + 8));
    *second = _mm256_set_m128i(_mm_unpackhi_epi16(a, b), _mm_unpacklo_epi16(a, b));
#endif
}
#endif

static inline void weighted_sum_at(const Tapped *samples, const Py_ssize_t *taps, Py_ssize_t pairs, const int32_t *start,
                                   const int16_t *weights, int32_t *sums) {
#if defined(__AVX2__)
    __m256i added = _mm256_set1_epi32(start[0]), factor = _mm256_set1_epi32(start[1]), one, other;
    __m256i low = _mm256_add_epi32(added, _mm256_mullo_epi32(factor, eight_at(samples + taps[0])));
    __m256i high = _mm256_add_epi32(added, _mm256_mullo_epi32(factor, eight_at(samples + taps[0] + 8)));
    for (Py_ssize_t k = 0; k < 2 * pairs; k += 2) {
        int32_t both;
        memcpy(&both, weights + k, 4);
        __m256i factors = _mm256_set1_epi32(both);
        eights_at(samples + taps[1 + k], samples + taps[2 + k], &one, &other);
        low = _mm256_add_epi32(low, _mm256_madd_epi16(one, factors));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(other, factors));
    }
    _mm256_storeu_si256((__m256i *)sums, low), _mm256_storeu_si256((__m256i *)(sums + 8), high);
#else
    int32_t totals[LANES];
    for (int i = 0; i < LANES; i++)
        totals[i] = start[0] + start[1] * samples[taps[0] + i];
    for (Py_ssize_t k = 0; k < 2 * pairs; k++)
        for (int i = 0; i < LANES; i++)
            totals[i] += weights[k] * samples[taps[1 + k] + i];
    memcpy(sums, totals, sizeof totals);
#endif
}
#define weighted_sum(samples, place, taps, pairs, starts, start, weights, first, sums, at)                                 \
    weighted_sum_at(AT(const Tapped, samples, place), AT(const Py_ssize_t, taps, 0), pairs, AT(const int32_t, starts, start), \
                    AT(const int16_t, weights, first), AT(int32_t, sums, at))

/* log2 as a straight line from each power of two to the next: what the bits of a number say, less those of 0.5. */
static inline double log2_of_errors_at(const Tapped *samples, const int32_t *sums, int shift, Py_ssize_t count) {
    int32_t logs[LANES], total = 0;
    for (int i = 0; i < LANES; i++) {
        float error = 0.7f + (float)abs(samples[i] - (sums[i] >> shift));
        int32_t bits;
        memcpy(&bits, &error, 4);
        logs[i] = (bits - 0x3f000000) >> 10;
    }
    for (int i = 0; i < count; i++)
        total += logs[i];
    return total / 8192.0;
}
#define log2_of_errors(samples, place, sums, at, shift, count) \
    log2_of_errors_at(AT(const Tapped, samples, place), AT(const int32_t, sums, at), shift, count)

static inline void weighted_rows_at(const float *numbers, const float *rows, Py_ssize_t count, float *sums) {
    for (int part = 0; part < LANES; part += 2 * WORDS) {
        Reals totals[4][2] = {0}, row;
        for (Py_ssize_t k = 0; k < count; k += 4)
            for (int apart = 0; apart < 4; apart++)
                for (int half = 0; half < 2; half++) {
                    memcpy(&row, rows + LANES * (k + apart) + part + WORDS * half, sizeof row);
                    totals[apart][half] += numbers[k + apart] * row;
                }
        for (int half = 0; half < 2; half++) {
            row = (totals[0][half] + totals[1][half]) + (totals[2][half] + totals[3][half]);
            memcpy(sums + part + WORDS * half, &row, sizeof row);
        }
    }
}
#define weighted_rows(numbers, place, rows, first, count, sums, at)                                                     \
    weighted_rows_at(AT(const float, numbers, place), AT(const float, rows, first), count, AT(float, sums, at))


static inline void sums_of_products_at(const float *one, const float *others, Py_ssize_t apart, Py_ssize_t length, float *sums) {
    for (int k = 0; k < 4; k++) {
        float totals[LANES] = {0};
        for (Py_ssize_t x = 0; x < length; x += LANES)
            for (int i = 0; i < LANES; i++)
                totals[i] += one[x + i] * others[k * apart + x + i];
        for (int half = LANES / 2; half; half /= 2)
            for (int i = 0; i < half; i++)
                totals[i] += totals[half + i];
        sums[k] = totals[0];
    }
}
#define sums_of_products(values, i, j, apart, length, sums, at)                                                        \
    sums_of_products_at(AT(const float, values, i), AT(const float, values, j), apart, length, AT(float, sums, at))

static inline Py_ssize_t put_escapes_at(const uint8_t *symbols, Py_ssize_t size, int last, const uint8_t *orders, uint8_t *escapes) {
    Py_ssize_t place = 0, count = 0;
#if defined(__AVX2__)
    for (__m128i lasts = _mm_set1_epi8(last); place + 8 <= size; place += 8) {
        __m128i eight = _mm_loadl_epi64((const __m128i *)(symbols + place));
        int are_last = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(eight, lasts), eight)) & 255;
        __m128i order = _mm_loadl_epi64((const __m128i *)(orders + 8 * are_last));
        _mm_storel_epi64((__m128i *)(escapes + count), _mm_shuffle_epi8(_mm_sub_epi8(eight, lasts), order));
        count += __builtin_popcount(are_last);
    }
#endif
    for (; place < size; place++) {
        escapes[count] = symbols[place] - last;
        count += symbols[place] >= last;
    }
    return count;
}
#define put_escapes(symbols, size, last, orders, escapes) \
    put_escapes_at(AT(const uint8_t, symbols, 0), size, last, AT(const uint8_t, orders, 0), AT(uint8_t, escapes, 0))

static inline void take_escapes_at(uint8_t *symbols, Py_ssize_t size, int last, const uint8_t *ranks, const uint8_t *escapes,
                                   Py_ssize_t count) {
    Py_ssize_t place = 0;
#if defined(__AVX2__)
    const uint8_t *end = escapes + count;
    for (__m128i lasts = _mm_set1_epi8(last); place + 8 <= size && end - escapes >= 8; place += 8) {
        __m128i eight = _mm_loadl_epi64((const __m128i *)(symbols + place));
        int are_last = _mm_movemask_epi8(_mm_cmpeq_epi8(eight, lasts)) & 255;
        __m128i rank = _mm_loadl_epi64((const __m128i *)(ranks + 8 * are_last));
        __m128i taken = _mm_shuffle_epi8(_mm_loadl_epi64((const __m128i *)escapes), rank);
        _mm_storel_epi64((__m128i *)(symbols + place), _mm_add_epi8(eight, taken));
        escapes += __builtin_popcount(are_last);
    }
#endif
    for (; place < size; place++)
        if (symbols[place] == last)
            symbols[place] += *escapes++;
}
#define take_escapes(symbols, size, last, ranks, escapes, count) \
    take_escapes_at(AT(uint8_t, symbols, 0), size, last, AT(const uint8_t, ranks, 0), AT(const uint8_t, escapes, 0), count)

static inline int clip(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

#define copy(target, at, source, first, count) memcpy(AT(uint8_t, target, at), AT(const uint8_t, source, first), count)

/* By an instruction and no branch, which would be guessed wrong every other time; compilers do not keep to hints. */
static inline int64_t by_half(int32_t total, int shift, int64_t upper, int64_t lower) {
#if defined(__x86_64__) && SAMPLE_BITS == 8
    __asm__("addb $64, %b1\n\tcmovs %2, %0" : "+r"(lower), "+r"(total) : "r"(upper) : "cc");
    return lower;
#else
    return (total + (1 << (shift - 2))) & (1 << (shift - 1)) ? upper : lower;
#endif
}

static inline int64_t looked_up_at(const uint8_t *table, int64_t late) {
    __asm__("" : "+r"(table)); /* or the compiler adds last what is known first */
    return table[late];
}
#define looked_up(table, early, late) looked_up_at(AT(const uint8_t, table, early), late)

static inline void copy_row_at(Sample *target, const Sample *source, int count) {
    if (count == 16) /* a number that is known takes a move and no call */
        memcpy(target, source, 16 * sizeof *target);
    else if (count == 8)
        memcpy(target, source, 8 * sizeof *target);
    else if (count == 4)
        memcpy(target, source, 4 * sizeof *target);
    else
        memcpy(target, source, count * sizeof *target);
}
#define copy_row(target, v, u, source, y, x, count) \
    copy_row_at(PLACE(Sample, target, v, u), PLACE(const Sample, source, y, x), count)

/* Samples as 16 numbers that hold all sums of taps: -6120...22440, with more bits than 8 all of 32 bits.
   All of this becomes one function. */
#define INLINE static inline __attribute__((always_inline))
#if SAMPLE_BITS == 8
typedef int16_t Number;
#else
typedef int32_t Number;
#endif
typedef Sample Samples __attribute__((vector_size(LANES * sizeof(Sample))));
typedef Number Numbers __attribute__((vector_size(LANES * sizeof(Number))));

INLINE Numbers numbers_at(const Sample *samples) {
#if defined(__AVX2__) && SAMPLE_BITS == 8
    return (Numbers)_mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)samples));
#else
    Samples found;
    memcpy(&found, samples, sizeof found);
    return __builtin_convertvector(found, Numbers);
#endif
}

INLINE Numbers taps_of(const Sample *samples, Py_ssize_t step, const int16_t *taps, int count) {
    Numbers sums = {0};
    for (int k = 0; k < count; k++)
        sums += taps[k] * numbers_at(samples + k * step);
    return sums;
}

/* Sums of taps of rows that are sums themselves, in 1/4096. */
INLINE Numbers taps_down(const Number *rows, const int16_t *taps, int count) {
#if defined(__AVX2__) && SAMPLE_BITS == 8
    __m256i low = _mm256_set1_epi32(2048), high = low;
    for (int k = 0; k < count; k += 2) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(rows + LANES * k));
        __m256i b = _mm256_loadu_si256((const __m256i *)(rows + LANES * (k + 1)));
        int32_t both;
        memcpy(&both, taps + k, 4);
        low = _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), _mm256_set1_epi32(both)));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), _mm256_set1_epi32(both)));
    }
    return (Numbers)_mm256_packs_epi32(_mm256_srai_epi32(low, 12), _mm256_srai_epi32(high, 12));
#else
    Numbers found;
    for (int i = 0; i < LANES; i++) {
        int32_t total = 2048;
        for (int k = 0; k < count; k++)
            total += taps[k] * rows[k * LANES + i];
        found[i] = total >> 12;
    }
    return found;
#endif
}

INLINE void put_row(Sample *target, Numbers numbers, int count, int averaged, int peak) {
    Sample row[LANES];
#if defined(__AVX2__) && SAMPLE_BITS == 8
    __m256i bytes = _mm256_packus_epi16((__m256i)numbers, (__m256i)numbers);
    __m128i clipped = _mm256_castsi256_si128(_mm256_permute4x64_epi64(bytes, 8));
    if (count == 16) {
        _mm_storeu_si128((__m128i *)target, averaged ? _mm_avg_epu8(clipped, _mm_loadu_si128((__m128i *)target)) : clipped);
        return;
    }
    if (count == 8) {
        _mm_storel_epi64((__m128i *)target, averaged ? _mm_avg_epu8(clipped, _mm_loadl_epi64((__m128i *)target)) : clipped);
        return;
    }
    _mm_storeu_si128((__m128i *)row, clipped);
#else
    for (int i = 0; i < LANES; i++)
        row[i] = clip(numbers[i], 0, peak);
#endif
    for (int i = 0; averaged && i < count; i++)
        row[i] = (row[i] + target[i] + 1) >> 1;
    copy_row_at(target, row, count);
}

INLINE void filter_strip(
    Sample *target, Py_ssize_t target_stride, const Sample *samples, Py_ssize_t stride, const int16_t *down,
    const int16_t *across, int rows, int count, int averaged, int peak, const int reach)
{
    Number sums[(32 + 7) * LANES];
    int is_down = down[3] != 64, is_across = across[3] != 64; /* 64 alone changes nothing */
    const Sample *first = samples + (is_down ? 4 - reach / 2 : 3) * stride + (is_across ? 4 - reach / 2 : 3);
    if (!is_down && !is_across)
        for (int j = 0; j < rows; j++)
            put_row(target + j * target_stride, numbers_at(first + j * stride), count, averaged, peak);
    else if (!is_down || !is_across) {
        const int16_t *taps = (is_down ? down : across) + 4 - reach / 2;
        for (int j = 0; j < rows; j++) {
            Numbers found = (taps_of(first + j * stride, is_down ? stride : 1, taps, reach) + 32) >> 6;
            put_row(target + j * target_stride, found, count, averaged, peak);
        }
    } else {
        for (int j = 0; j < rows + reach - 1; j++) {
            Numbers found = taps_of(first + j * stride, 1, across + 4 - reach / 2, reach);
            memcpy(sums + j * LANES, &found, sizeof found);
        }
        for (int j = 0; j < rows; j++)
            put_row(target + j * target_stride, taps_down(sums + j * LANES, down + 4 - reach / 2, reach), count, averaged,
                    peak);
    }
}

/* Strips of 16 samples, each a vector, also where a block is narrower. Most blocks need only the taps in the middle. */
static __attribute__((noinline, unused)) void filter_block_at(
    Sample *target, Py_ssize_t target_stride, const Sample *samples, Py_ssize_t stride, const int16_t *down,
    const int16_t *across, int rows, int columns, int averaged, int peak)
{
    target_stride /= sizeof *target, stride /= sizeof *samples;
    int outer = down[1] | down[6] | across[1] | across[6], inner = down[2] | down[5] | across[2] | across[5];
    for (int x = 0; x < columns; x += LANES) {
        int count = columns - x < LANES ? columns - x : LANES;
        if (outer)
            filter_strip(target + x, target_stride, samples + x, stride, down, across, rows, count, averaged, peak, 8);
        else if (inner)
            filter_strip(target + x, target_stride, samples + x, stride, down, across, rows, count, averaged, peak, 4);
        else
            filter_strip(target + x, target_stride, samples + x, stride, down, across, rows, count, averaged, peak, 2);
    }
}
#define filter_block(target, v, u, samples, y, x, taps, down, across, rows, columns, averaged, peak)                      \
    filter_block_at(PLACE(Sample, target, v, u), (target).strides[0], PLACE(const Sample, samples, y, x),                  \
                    (samples).strides[0], PLACE(const int16_t, taps, down, 0), PLACE(const int16_t, taps, across, 0),      \
                    rows, columns, averaged, peak)

static inline int filter_sample_at(const Sample *samples, Py_ssize_t stride, const int16_t *down, const int16_t *across, int peak) {
    Numbers sums = taps_of(samples, stride / (Py_ssize_t)sizeof *samples, down, 8);
    int total = 2048;
    for (int i = 0; i < 8; i++)
        total += across[i] * sums[i];
    return clip(total >> 12, 0, peak);
}
#define filter_sample(samples, y, x, taps, down, across, peak)                                                            \
    filter_sample_at(PLACE(const Sample, samples, y, x), (samples).strides[0], PLACE(const int16_t, taps, down, 0),       \
                     PLACE(const int16_t, taps, across, 0), peak)

/* Rows of 16 bits in pairs, each row times a number of 16 bits: x86 multiplies and adds pairs at once. */
static inline void sums_of_pairs_at(const int16_t *numbers, const int16_t *pairs, int32_t *sums, int count, int side) {
    for (int start = 0; start < side; start += WORDS) {
        Words total = {0};
#pragma GCC unroll 4
        for (int j = 0; j < count; j += 2) {
            const int16_t *pair = pairs + 32 * j + 2 * start;
#if defined(__AVX2__)
            int32_t both;
            memcpy(&both, numbers + j, 4);
            total += (Words)_mm256_madd_epi16(_mm256_loadu_si256((const __m256i *)pair), _mm256_set1_epi32(both));
#else
            for (int i = 0; i < WORDS; i++)
                total[i] += pair[2 * i] * numbers[j] + pair[2 * i + 1] * numbers[j + 1];
#endif
        }
        memcpy(sums + start, &total, sizeof total);
    }
}
#define sums_of_pairs(numbers, row, pairs, first, sums, count, side)                                                      \
    sums_of_pairs_at(PLACE(const int16_t, numbers, row, 0), PLACE(const int16_t, pairs, first, 0), AT(int32_t, sums, 0), count, side)

/* Of differences of 8 rows of samples, in squares of 8: half of the sum of all |values| of their Hadamard transforms.

   The last of three steps down gives |a + b| + |a - b|, which is twice the larger of |a| and |b|: with 8 bits at most 8160
   each, and four of them fit 16 bits. A transposition is three times the zip of each row with the fourth after it. */
#define HADAMARD(LANES_, ROW, SAMPLES, MAX)                                                                               \
    typedef Number ROW __attribute__((vector_size(LANES_ * sizeof(Number))));                                             \
    typedef Sample SAMPLES __attribute__((vector_size(LANES_ * sizeof(Sample))));                                         \
    static inline void steps_of_##ROW(ROW *rows, int last) {                                                              \
        for (int step = 4; step > last; step >>= 1)                                                                       \
            for (int i = 0; i < 8; i++)                                                                                   \
                if (!(i & step)) {                                                                                        \
                    ROW sum = rows[i] + rows[i + step];                                                                   \
                    rows[i + step] = rows[i] - rows[i + step], rows[i] = sum;                                             \
                }                                                                                                         \
    }                                                                                                                     \
    static inline int hadamard_of_##ROW(const Sample *a, Py_ssize_t a_stride, const Sample *b, Py_ssize_t b_stride) {     \
        ROW rows[8], zipped[8], sums = {0};                                                                               \
        for (int j = 0; j < 8; j++) {                                                                                     \
            SAMPLES one, other;                                                                                           \
            memcpy(&one, a + j * a_stride, sizeof one), memcpy(&other, b + j * b_stride, sizeof other);                   \
            rows[j] = __builtin_convertvector(one, ROW) - __builtin_convertvector(other, ROW);                            \
        }                                                                                                                 \
        steps_of_##ROW(rows, 0);                                                                                          \
        for (int zip = 0; zip < 3; zip++) {                                                                               \
            for (int i = 0; i < 8; i++)                                                                                   \
                zipped[i] = i & 1 ? ZIPPED(ROW, rows[i >> 1], rows[(i >> 1) + 4], HIGH_##LANES_)                          \
                                  : ZIPPED(ROW, rows[i >> 1], rows[(i >> 1) + 4], LOW_##LANES_);                          \
            memcpy(rows, zipped, sizeof rows);                                                                            \
        }                                                                                                                 \
        steps_of_##ROW(rows, 1);                                                                                          \
        for (int i = 0; i < 8; i += 2) {                                                                                  \
            ROW p = MAX(rows[i], -rows[i]), q = MAX(rows[i + 1], -rows[i + 1]);                                           \
            sums += MAX(p, q);                                                                                            \
        }                                                                                                                 \
        int total = 0;                                                                                                    \
        for (int i = 0; i < LANES_; i++)                                                                                  \
            total += sums[i];                                                                                             \
        return total;                                                                                                     \
    }

#if defined(__clang__)
#define ZIPPED(ROW, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define ZIPPED(ROW, a, b, ...) __builtin_shuffle(a, b, (ROW){__VA_ARGS__})
#endif
#define LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
#define LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 8, 24, 9, 25, 10, 26, 11, 27
#define HIGH_16 4, 20, 5, 21, 6, 22, 7, 23, 12, 28, 13, 29, 14, 30, 15, 31
#if defined(__SSE2__) && SAMPLE_BITS == 8
#define MAX_8(a, b) ((Row8)_mm_max_epi16((__m128i)(a), (__m128i)(b)))
#else
#define MAX_8(a, b) (((a) & ((a) > (b))) | ((b) & ((a) <= (b))))
#endif
HADAMARD(8, Row8, Samples8, MAX_8)
#if defined(__AVX2__) && SAMPLE_BITS == 8
#define MAX_16(a, b) ((Row16)_mm256_max_epi16((__m256i)(a), (__m256i)(b)))
HADAMARD(16, Row16, Samples16, MAX_16)
#endif

static inline int half_hadamard_at(const Sample *a, Py_ssize_t a_stride, const Sample *b, Py_ssize_t b_stride, int columns) {
    int total = 0, i = 0;
    a_stride /= sizeof *a, b_stride /= sizeof *b;
#if defined(__AVX2__) && SAMPLE_BITS == 8
    for (; i + 16 <= columns; i += 16)
        total += hadamard_of_Row16(a + i, a_stride, b + i, b_stride);
#endif
    for (; i < columns; i += 8)
        total += hadamard_of_Row8(a + i, a_stride, b + i, b_stride);
    return total;
}
#define half_hadamard(a, y, x, b, v, u, columns)                                                                          \
    half_hadamard_at(PLACE(const Sample, a, y, x), (a).strides[0], PLACE(const Sample, b, v, u), (b).strides[0], columns)

/* 4 samples, or 8, as numbers. */
static inline Row8 row_of(const Sample *samples, int count) {
    Samples8 found = {0};
    if (count == 8)
        memcpy(&found, samples, sizeof found);
    else
        memcpy(&found, samples, sizeof found / 2);
#if defined(__AVX2__) && SAMPLE_BITS == 8
    int64_t all;
    memcpy(&all, &found, 8);
    return (Row8)_mm_cvtepu8_epi16(_mm_cvtsi64_si128(all));
#else
    return __builtin_convertvector(found, Row8);
#endif
}

/* Sums of products of 8 bits fit 16: shares below 32, and half of 1 << shift. */
static inline void mix_row_at(Sample *samples, const Sample *second, int share, int slope, int shift, int count) {
    Row8 mixed = row_of(samples, count), shares = {0, 1, 2, 3, 4, 5, 6, 7};
    shares = (Number)share - (Number)slope * shares;
    mixed += (shares * (row_of(second, count) - mixed) + (Number)(1 << (shift - 1))) >> shift;
    Samples8 one = __builtin_convertvector(mixed, Samples8);
    if (count == 8)
        memcpy(samples, &one, sizeof one);
    else
        memcpy(samples, &one, sizeof one / 2);
}
#define mix_row(samples, y, x, second, share, slope, shift, count) \
    mix_row_at(PLACE(Sample, samples, y, x), PLACE(const Sample, second, y, x), share, slope, shift, count)

/* The sums of rows from both ends of a block go into rows 0…7 of pairs, the differences into rows 8…15. */
#if SAMPLE_BITS == 8
static inline int fold_at(const uint8_t *a, Py_ssize_t a_stride, const uint8_t *b, Py_ssize_t b_stride, int16_t *pairs, int side) {
    int width = side < 8 ? 4 : 8, last = side - 1;
    typedef int32_t Four __attribute__((vector_size(16)));
    Four total = {0};
    for (int j = 0; j < side >> 1; j += 2)
        for (int i = 0; i < side; i += 8) {
            Row8 rows[4];
            for (int k = 0; k < 4; k++) {
                int row = k < 2 ? j + k : last - j - (k - 2);
                rows[k] = row_of(a + row * a_stride + i, width) - row_of(b + row * b_stride + i, width);
#if defined(__SSE2__)
                total += (Four)_mm_madd_epi16((__m128i)rows[k], (__m128i)rows[k]);
#else
                for (int n = 0; n < 8; n++)
                    total[n & 3] += rows[k][n] * rows[k][n];
#endif
            }
            for (int odd = 0; odd < 2; odd++) {
                Row8 even_row = odd ? rows[0] - rows[2] : rows[0] + rows[2], odd_row = odd ? rows[1] - rows[3] : rows[1] + rows[3];
                Row8 low = ZIPPED(Row8, even_row, odd_row, 0, 8, 1, 9, 2, 10, 3, 11);
                Row8 high = ZIPPED(Row8, even_row, odd_row, 4, 12, 5, 13, 6, 14, 7, 15);
                int16_t *target = pairs + 64 * (8 * odd + (j >> 1)) + 2 * i;
                memcpy(target, &low, 16), memcpy(target + 8, &high, 16);
            }
        }
    return total[0] + total[1] + total[2] + total[3];
}
#else /* of up to 12 bits, so that sums fit 16 bits */
static inline int64_t fold_at(const Sample *a, Py_ssize_t a_stride, const Sample *b, Py_ssize_t b_stride, int16_t *pairs, int side) {
    int64_t total = 0;
    a_stride /= sizeof *a, b_stride /= sizeof *b;
    for (int j = 0; j < side >> 1; j += 2) {
        int16_t *target = pairs + 32 * j;
        const Sample *upper_a = a + j * a_stride, *lower_a = a + (side - 1 - j) * a_stride;
        const Sample *upper_b = b + j * b_stride, *lower_b = b + (side - 1 - j) * b_stride;
        int32_t energy = 0; /* 128 squares below 2**24 */
        for (int i = 0; i < side; i++) {
            int one = upper_a[i] - upper_b[i], last = lower_a[i] - lower_b[i];
            int next = upper_a[i + a_stride] - upper_b[i + b_stride], other = lower_a[i - a_stride] - lower_b[i - b_stride];
            energy += one * one + last * last + next * next + other * other;
            target[2 * i] = one + last, target[2 * i + 1] = next + other;
            target[512 + 2 * i] = one - last, target[513 + 2 * i] = next - other;
        }
        total += energy;
    }
    return total;
}
#endif
#define fold(a, b, y, x, pairs, side)                                                                                     \
    fold_at(PLACE(const Sample, a, y, x), (a).strides[0], PLACE(const Sample, b, y, x), (b).strides[0],                   \
            AT(int16_t, pairs, 0), side)

#endif
