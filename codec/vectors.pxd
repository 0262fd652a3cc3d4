# What vectors.h has, for views: a row begins at a place of a flat view.

cdef extern from "vectors.h" nogil:
    void c_mean_block "mean_block"(
        unsigned char* target, long target_stride, const unsigned char* a, const unsigned char* b, long stride,
        int rows, int columns)
    void c_bilinear_block "bilinear_block"(
        unsigned char* target, long target_stride, const unsigned char* above, long stride, int down, int right,
        int rows, int columns)
    int c_taps_8x8 "taps_8x8"(const unsigned char* samples, long stride, const short* down, const short* across)
    int c_mean_squared_errors "mean_squared_errors"(
        const unsigned char* a, long a_stride, const unsigned char* b, const unsigned char* c, long stride,
        int rows, int columns, int bound)

cdef inline void mean_block(
    unsigned char[::1] target, Py_ssize_t place, Py_ssize_t target_stride, unsigned char[::1] samples,
    Py_ssize_t a, Py_ssize_t b, Py_ssize_t stride, int rows, int columns
) noexcept nogil:
    c_mean_block(&target[place], target_stride, &samples[a], &samples[b], stride, rows, columns)

cdef inline void bilinear_block(
    unsigned char[::1] target, Py_ssize_t place, Py_ssize_t target_stride, unsigned char[::1] samples,
    Py_ssize_t source, Py_ssize_t stride, int down, int right, int rows, int columns
) noexcept nogil:
    c_bilinear_block(&target[place], target_stride, &samples[source], stride, down, right, rows, columns)

cdef inline int taps_8x8(
    unsigned char[::1] samples, Py_ssize_t place, Py_ssize_t stride, short[:, ::1] taps, int down, int across
) noexcept nogil:
    return c_taps_8x8(&samples[place], stride, &taps[down, 0], &taps[across, 0])

cdef inline int mean_squared_errors(
    unsigned char[::1] source, Py_ssize_t place, Py_ssize_t source_stride, unsigned char[::1] samples,
    Py_ssize_t b, Py_ssize_t c, Py_ssize_t stride, int rows, int columns, int bound
) noexcept nogil:
    return c_mean_squared_errors(
        &source[place], source_stride, &samples[b], &samples[c], stride, rows, columns, bound)
