#include <stdint.h>
#include <stdbool.h>

/* Ratios of the gear planner. Always kept in lowest terms, den > 0; den == 0 is an
 * infinity (num = +-1) or indefinite (num = 0). */

struct rational
{
  int32_t num;
  int32_t den;
  uint8_t flags;
};

#define RF_INEXACT  0x01u
#define RF_OVERFLOW 0x02u
#define RF_SPECIAL  0x04u

/* b is not 0 */
static uint64_t gcd64( uint64_t a, uint64_t b )
{
  int shift;

  if( a == 0 )
    return b;
  shift = __builtin_ctzll( a | b );
  a >>= __builtin_ctzll( a );
  do
  {
    b >>= __builtin_ctzll( b );
    if( a > b )
    {
      uint64_t t = a;
      a = b;
      b = t;
    }
    b -= a;
  }
  while( b != 0 );
  return a << shift;
}

/* Sign of an operand without denominator: -1, 0, 1 */
static int infinity_of( struct rational x )
{
  return ( x.num > 0 ) - ( x.num < 0 );
}

static void lowest( struct rational x, int64_t *num, int64_t *den )
{
  int64_t n = x.num, d = x.den, g;

  if( d < 0 )
  {
    n = -n;
    d = -d;
  }
  g = (int64_t)gcd64( (uint64_t)( n < 0 ? -n : n ), (uint64_t)d );
  *num = n / g;
  *den = d / g;
}

/* Nearest fraction to n/d whose denominator is at most max; d > max >= 1. */
static void nearest( uint64_t *n_io, uint64_t *d_io, uint64_t max )
{
  uint64_t n = *n_io, d = *d_io;
  uint64_t p0 = 0, q0 = 1, p1 = 1, q1 = 0;

  for( ;; )
  {
    uint64_t a = n / d;
    uint64_t r = n % d;

    if( q0 + a * q1 > max )
      break;
    uint64_t p2 = p0 + a * p1;
    uint64_t q2 = q0 + a * q1;
    p0 = p1;
    q0 = q1;
    p1 = p2;
    q1 = q2;
    n = d;
    d = r;
  }

  /* Between p1/q1 and the last semiconvergent that fits. */
  uint64_t k = ( max - q0 ) / q1;
  int64_t excess = (int64_t)( n - k * d ) - (int64_t)( k * d );
  if( (int64_t)q1 * excess < (int64_t)( q0 * d ) )
  {
    *n_io = p0 + k * p1;
    *d_io = q0 + k * q1;
  }
  else
  {
    *n_io = p1;
    *d_io = q1;
  }
}

struct rational rational_add_limited( struct rational a, struct rational b, int32_t max_den )
{
  struct rational sum = { 0, 0, (uint8_t)( a.flags | b.flags ) };
  int64_t an, ad, bn, bd, n;
  uint64_t num, den, g;
  bool neg;

  if( a.den == 0 || b.den == 0 )
  {
    int ia = infinity_of( a ), ib = infinity_of( b );

    sum.flags |= RF_SPECIAL;
    if( a.den == 0 && b.den == 0 )
      sum.num = ia == ib ? ia : 0;
    else
      sum.num = a.den == 0 ? ia : ib;
    return sum;
  }

  lowest( a, &an, &ad );
  lowest( b, &bn, &bd );
  n = an * bd + bn * ad;
  if( n == 0 )
  {
    sum.den = 1;
    return sum;
  }
  neg = n < 0;
  num = (uint64_t)( neg ? -n : n );
  den = (uint64_t)( ad * bd );
  g = gcd64( num, den );
  num /= g;
  den /= g;

  if( max_den < 1 )
    max_den = 1;
  if( den > (uint64_t)max_den )
  {
    nearest( &num, &den, (uint64_t)max_den );
    sum.flags |= RF_INEXACT;
  }
  if( num > INT32_MAX )
  {
    num = INT32_MAX;
    den = 1;
    sum.flags |= RF_OVERFLOW;
  }
  sum.num = neg ? -(int32_t)num : (int32_t)num;
  sum.den = (int32_t)den;
  return sum;
}
