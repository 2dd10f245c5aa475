#include <stdint.h>

#define LONGEST 12u

struct cellbox {
  double lat, lon;    /* centre */
  double dlat, dlon;  /* half of height and width */
};

/* Writes the cell's name (up to LONGEST characters and a NUL) and its extent.
   With prec 0 the caller has put the width it can live with into box->dlon. */
int geohash_encode_cell(double lat, double lon, unsigned prec, char *out, struct cellbox *box)
{
  const char *alphabet = "0123456789bcdefghjkmnpqrstuvwxyz";
  double south = -90.0, north = 90.0, west = -180.0, east = 180.0;
  uint64_t path = 0;
  unsigned i, bits;

  /* written so that a NaN fails as well */
  if (!(lat >= -90.0 && lat <= 90.0) || !(lon >= -180.0 && lon <= 180.0) || prec > LONGEST) {
    out[0] = '\0';
    return -1;
  }
  if (lon == 180.0)
    lon = -180.0;

  if (prec == 0) {
    double half = 180.0;
    do {
      prec++;
      half /= prec & 1 ? 8.0 : 4.0;   /* odd characters hold three bits of longitude */
    } while (prec < LONGEST && half > box->dlon);
  }

  bits = 5 * prec;
  for (i = 0; i < bits; i++) {
    double *lo = i & 1 ? &south : &west;
    double *hi = i & 1 ? &north : &east;
    double mid = (*lo + *hi) / 2.0;

    path <<= 1;
    if ((i & 1 ? lat : lon) >= mid) {
      path |= 1;
      *lo = mid;
    } else {
      *hi = mid;
    }
  }

  out[prec] = '\0';
  for (i = prec; i-- > 0; path >>= 5)
    out[i] = alphabet[path & 31];

  box->lat = (south + north) / 2.0;
  box->lon = (west + east) / 2.0;
  box->dlat = (north - south) / 2.0;
  box->dlon = (east - west) / 2.0;
  return (int)prec;
}
