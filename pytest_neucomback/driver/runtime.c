/* What compiled code may call without the task saying so (memcpy and its like), and the pure functions of libm.
 * Golden, reference and candidate are linked with the same objects, so nobody gains or loses bits or time by them. */
#include "nc_driver.h"

typedef u64 size;

void *memcpy(void *restrict to, const void *restrict from, size n)
{
    u8 *t = to;
    const u8 *f = from;
    for (size i = 0; i < n; i++)
        t[i] = f[i];
    return to;
}

void *memmove(void *to, const void *from, size n)
{
    u8 *t = to;
    const u8 *f = from;
    if ((u64)t - (u64)f >= n)
        return memcpy(to, from, n);
    while (n--)
        t[n] = f[n];
    return to;
}

void *memset(void *to, int value, size n)
{
    u8 *t = to;
    for (size i = 0; i < n; i++)
        t[i] = (u8)value;
    return to;
}

int memcmp(const void *a, const void *b, size n)
{
    const u8 *p = a, *q = b;
    for (size i = 0; i < n; i++)
        if (p[i] != q[i])
            return p[i] < q[i] ? -1 : 1;
    return 0;
}

int bcmp(const void *a, const void *b, size n) { return memcmp(a, b, n); }

size strlen(const char *s)
{
    size n = 0;
    while (s[n])
        n++;
    return n;
}

/* ---- what compilers call where an instruction is missing (libgcc and compiler-rt have the same) ---- */

int __popcountdi2(u64 x)
{
    int n = 0;
    for (; x; x &= x - 1)
        n++;
    return n;
}

int __ctzdi2(u64 x)
{
    int n = 0;
    while (n < 64 && !(x >> n & 1))
        n++;
    return n;
}

int __clzdi2(u64 x)
{
    int n = 0;
    while (n < 64 && !(x >> (63 - n) & 1))
        n++;
    return n;
}

int __ffsdi2(u64 x) { return x ? __ctzdi2(x) + 1 : 0; }
int __paritydi2(u64 x) { return __popcountdi2(x) & 1; }
int __clrsbdi2(i64 x) { return __clzdi2((u64)(x < 0 ? ~x : x)) - 1; }

u32 __bswapsi2(u32 x) { return x >> 24 | (x >> 8 & 0xff00) | (x << 8 & 0xff0000) | x << 24; }
u64 __bswapdi2(u64 x) { return (u64)__bswapsi2((u32)x) << 32 | __bswapsi2((u32)(x >> 32)); }

typedef unsigned __int128 u128;
typedef __int128 i128;

static u128 nc_divide(u128 n, u128 d, u128 *rest)
{
    u128 q = 0, r = 0;
    for (int i = 127; i >= 0; i--) {
        int carry = (int)(r >> 127);
        r = r << 1 | (n >> i & 1);
        if (carry || r >= d) {
            r -= d;
            q |= (u128)1 << i;
        }
    }
    *rest = r;
    return q;
}

u128 __udivti3(u128 n, u128 d) { u128 r; return nc_divide(n, d, &r); }
u128 __udivmodti4(u128 n, u128 d, u128 *rest)
{
    u128 r, q = nc_divide(n, d, &r);
    if (rest)
        *rest = r;
    return q;
}

u128 __umodti3(u128 n, u128 d) { u128 r; nc_divide(n, d, &r); return r; }
static u128 nc_size_of(i128 x) { return x < 0 ? -(u128)x : (u128)x; }

i128 __divti3(i128 n, i128 d)
{
    u128 r, q = nc_divide(nc_size_of(n), nc_size_of(d), &r);
    return (i128)((n < 0) != (d < 0) ? -q : q);
}

i128 __modti3(i128 n, i128 d)
{
    u128 r;
    nc_divide(nc_size_of(n), nc_size_of(d), &r);
    return (i128)(n < 0 ? -r : r);
}

/* ---- pure functions: sinf, cosf and others ----
 * Evaluated in double precision, whose 29 spare bits make the rounded single correct in all but a few cases in a
 * million. |x| < 2^22: three-part Cody and Waite reduction by pi/2. Beyond: the fraction of x * 2/pi is taken from a
 * 192-bit product (Payne and Hanek 1983). Polynomials are the Taylor series to x^17, below 2^-53 on [-pi/4, pi/4].
 */
static double nc_sin_kernel(double r)
{
    double z = r * r;
    double p = 1.0 / 355687428096000.0;
    p = p * z - 1.0 / 1307674368000.0;
    p = p * z + 1.0 / 6227020800.0;
    p = p * z - 1.0 / 39916800.0;
    p = p * z + 1.0 / 362880.0;
    p = p * z - 1.0 / 5040.0;
    p = p * z + 1.0 / 120.0;
    p = p * z - 1.0 / 6.0;
    return r + r * z * p;
}

static double nc_cos_kernel(double r)
{
    double z = r * r;
    double p = 1.0 / 20922789888000.0;
    p = p * z - 1.0 / 87178291200.0;
    p = p * z + 1.0 / 479001600.0;
    p = p * z - 1.0 / 3628800.0;
    p = p * z + 1.0 / 40320.0;
    p = p * z - 1.0 / 720.0;
    p = p * z + 1.0 / 24.0;
    p = p * z - 0.5;
    return 1.0 + z * p;
}

/* The quadrant of x, and in *r what is left, in [-pi/4, pi/4]. x is finite. */
static unsigned nc_reduce(float x, double *r)
{
    union { float f; u32 u; } bits = {x};
    if ((bits.u & 0x7fffffff) < 0x4a800000) { /* 2^22 */
        double d = x;
        double n = (double)(i64)(d * 0.63661977236758134308 + (d < 0 ? -0.5 : 0.5));
        d -= n * 1.57079632673412561417e+00;  /* 33 bits of pi/2, the next 33, the rest: products are exact */
        d -= n * 6.07710050630396597660e-11;
        d -= n * 2.02226624879595063154e-21;
        *r = d;
        return (unsigned)(i64)n & 3;
    }
    /* 2/pi = 0.A2F9836E 4E441529 FC2757D1 F534DDC0 DB629599 3C439041 ... (hexadecimal) */
    static const u64 two_over_pi[] = {0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561};
    u64 m = (bits.u & 0x7fffff) | 0x800000;
    int e = (int)(bits.u >> 23 & 0xff) - 150; /* x = m * 2^e, e >= -1 here */
    /* Bits of 2/pi worth 4 or more after multiplication by 2^e fall out of the quadrant: skip e - 2 of them. */
    int skip = e > 2 ? e - 2 : 0, word = skip / 64, shift = skip % 64;
    u64 hi = shift ? two_over_pi[word] << shift | two_over_pi[word + 1] >> (64 - shift) : two_over_pi[word];
    u64 lo = shift ? two_over_pi[word + 1] << shift | two_over_pi[word + 2] >> (64 - shift) : two_over_pi[word + 1];
    unsigned __int128 low = (unsigned __int128)m * lo;
    unsigned __int128 high = (unsigned __int128)m * hi + (u64)(low >> 64); /* the product's bits from 64 on */
    /* The binary point stands `point` bits below bit 128 of the product. With bits skipped it is 2, and what the
     * skipped ones would add are whole turns. */
    int point = e - skip;
    unsigned quadrant = (unsigned)(high >> (64 - point)) & 3;
    u64 f = point > 0 ? (u64)high << point | (u64)low >> (64 - point) : (u64)(high >> -point);
    double fraction;
    if (f >> 63) {
        quadrant = (quadrant + 1) & 3;
        fraction = -((double)(~f) * 0x1p-64);
    } else
        fraction = (double)f * 0x1p-64;
    fraction *= 1.57079632679489661923;
    if (bits.u >> 31) {
        fraction = -fraction;
        quadrant = (4 - quadrant) & 3;
    }
    *r = fraction;
    return quadrant;
}

static float nc_quadrant(float x, unsigned turn)
{
    double r;
    if ((x - x) != 0) /* infinite or not a number */
        return x - x;
    unsigned q = (nc_reduce(x, &r) + turn) & 3;
    double v = q & 1 ? nc_cos_kernel(r) : nc_sin_kernel(r);
    return (float)(q & 2 ? -v : v);
}

float sinf(float x) { return x == 0 ? x : nc_quadrant(x, 0); }
float cosf(float x) { return nc_quadrant(x, 1); }

void sincosf(float x, float *s, float *c)
{
    *s = sinf(x);
    *c = cosf(x);
}

/* Within 2^-52 or so of the true value for |x| < 2^30; beyond, where the reduction would need more of pi, not a
 * number. */
static double nc_wide(double x, unsigned turn)
{
    if (!(x > -0x1p30 && x < 0x1p30))
        return (x - x) / (x - x);
    double n = (double)(i64)(x * 0.63661977236758134308 + (x < 0 ? -0.5 : 0.5));
    double high = x - n * 1.57079632673412561417e+00;
    double low = n * 6.07710050630396597660e-11;
    double r = high - low;
    double left = (high - r) - low; /* what r lost by rounding */
    double rest = n * 2.02226624879595063154e-21;
    double sum = r - rest;
    left += (r - sum) - rest;
    unsigned q = ((unsigned)(i64)n + turn) & 3;
    double s = nc_sin_kernel(sum), c = nc_cos_kernel(sum);
    double v = q & 1 ? c - s * left : s + c * left;
    return q & 2 ? -v : v;
}

double sin(double x) { return x == 0 ? x : nc_wide(x, 0); }
double cos(double x) { return nc_wide(x, 1); }

void sincos(double x, double *s, double *c)
{
    *s = sin(x);
    *c = cos(x);
}

#if defined __x86_64__
float sqrtf(float x) { __asm__("sqrtss %0, %0" : "+x"(x)); return x; }
double sqrt(double x) { __asm__("sqrtsd %0, %0" : "+x"(x)); return x; }
#elif defined __aarch64__
float sqrtf(float x) { __asm__("fsqrt %s0, %s0" : "+w"(x)); return x; }
double sqrt(double x) { __asm__("fsqrt %d0, %d0" : "+w"(x)); return x; }
#else
float sqrtf(float x) { __asm__("fsqrt.s %0, %0" : "+f"(x)); return x; }
double sqrt(double x) { __asm__("fsqrt.d %0, %0" : "+f"(x)); return x; }
#endif

float fabsf(float x)
{
    union { float f; u32 u; } v = {x};
    v.u &= 0x7fffffff;
    return v.f;
}

double fabs(double x)
{
    union { double d; u64 u; } v = {x};
    v.u &= ~0ul >> 1;
    return v.d;
}
