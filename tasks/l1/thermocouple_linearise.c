/*****************************************************************
 *  tc_lin.c   hot junction temperature, types K, J and N
 *
 *  Curves are our own fits over the range of the furnace cards;
 *  do not replace them by the ITS-90 ones, the calibration
 *  certificates refer to these.
 *****************************************************************/
#include <stdint.h>

#define TC_TYPES      3
#define TC_RANGES     4

#define TC_UNDER      0x01
#define TC_OVER       0x02
#define TC_NO_TYPE    0x04
#define TC_COLD       0x08

/* microvolts; outermost ones are the limits of the type */
static const float tcBreak[TC_TYPES][TC_RANGES + 1] = {
  { -6900.0f, 6400.0f, 23900.0f, 42650.0f, 59700.0f },
  { -6700.0f, 4650.0f, 19350.0f, 35900.0f, 52650.0f },
  { -4400.0f, 4850.0f, 18300.0f, 32950.0f, 45850.0f },
};

/* degrees from millivolts, lowest power first */
static const float tcInverse[TC_TYPES][TC_RANGES][5] = {
  {
    { -0.0180658f, 25.3214f, -0.359011f, 0.0177140f, -0.000978008f },
    { 1.09617f, 24.8502f, -0.272035f, 0.00562667f, -4.96883e-5f },
    { 15.5703f, 22.4650f, -0.119136f, 0.00110651f, 2.14154e-6f },
    { 313.815f, -3.50350f, 0.732956f, -0.0113931f, 7.13733e-5f },
  },
  {
    { -0.0118007f, 19.8365f, -0.264696f, 0.0109721f, -0.000685492f },
    { 0.323986f, 19.6541f, -0.226573f, 0.00504552f, -5.47885e-5f },
    { 5.46350f, 18.5875f, -0.140274f, 0.00182428f, -8.22063e-6f },
    { 24.8947f, 16.4681f, -0.0525471f, 0.000190104f, 3.33887e-6f },
  },
  {
    { -0.0169693f, 37.4363f, -1.10856f, 0.117827f, -0.0111643f },
    { 2.61328f, 35.9623f, -0.694715f, 0.0206791f, -0.000263342f },
    { 27.1701f, 30.5956f, -0.236976f, 0.00263935f, 1.24412e-5f },
    { 726.853f, -47.5939f, 3.05193f, -0.0591320f, 0.000449943f },
  },
};

/* microvolts from degrees: c[0] t + c[1] t^2 + c[2] t^3 */
static const float tcForward[TC_TYPES][3] = {
  { 39.45f, 0.0224f, -1.15e-5f },
  { 50.40f, 0.0345f, -1.90e-5f },
  { 26.60f, 0.0212f, -1.05e-5f },
};

static float forward(const float c[3], float t)
{
  return ((c[2] * t + c[1]) * t + c[0]) * t;
}

static float slope(const float c[3], float t)
{
  return (3.0f * c[2] * t + 2.0f * c[1]) * t + c[0];
}

float thermocouple_linearise(float uv, float cj_c, unsigned type, uint8_t *status)
{
  uint8_t st = 0;

  if (type >= TC_TYPES) {
    *status = TC_NO_TYPE;
    return -999.0f;
  }

  if (cj_c < -40.0f) {
    cj_c = -40.0f;
    st |= TC_COLD;
  } else if (cj_c > 125.0f) {
    cj_c = 125.0f;
    st |= TC_COLD;
  }

  const float *fw = tcForward[type];
  const float *br = tcBreak[type];
  float total = uv + forward(fw, cj_c);

  if (total < br[0]) {
    total = br[0];
    st |= TC_UNDER;
  } else if (total > br[TC_RANGES]) {
    total = br[TC_RANGES];
    st |= TC_OVER;
  }

  unsigned range = 0;
  while (range < TC_RANGES - 1 && total > br[range + 1])
    range++;

  const float mv = total * 0.001f;
  float t = tcInverse[type][range][4];
  for (int k = 3; k >= 0; k--)
    t = t * mv + tcInverse[type][range][k];

  /* the fits are good to half a degree, the rest comes from here */
  for (int k = 0; k < 2; k++)
    t -= (forward(fw, t) - total) / slope(fw, t);

  *status = st;
  return t;
}
