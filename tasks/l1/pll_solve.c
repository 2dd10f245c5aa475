#include <stdint.h>
#include <stdbool.h>

/* Audio PLL of the CX31 SoC.  fout = fref / M * N / P */

struct pll_limits {
	uint32_t pfd_lo, pfd_hi;	/* phase detector, Hz */
	uint32_t vco_lo, vco_hi;	/* oscillator, Hz */
};

struct pll_set {
	uint8_t m;
	uint8_t n;
	uint8_t p;
	uint8_t rge;		/* PLLCFGR.RGE, lock range */
	int16_t sdm;		/* what N lacks, in 1/8192 */
	uint16_t flags;		/* owned by the clock tree, not by us */
	uint32_t err_hz;
	uint32_t vco_hz;
};

#define PLL_N_MIN	8u
#define PLL_N_MAX	127u
#define PLL_M_MAX	16u

static unsigned lock_range(uint32_t pfd)
{
	if (pfd < 2000000u)
		return 0;
	if (pfd < 4000000u)
		return 1;
	if (pfd <= 8000000u)
		return 2;
	return 3;
}

bool pll_solve(uint32_t ref_hz, uint32_t want_hz,
	       const struct pll_limits *lim, struct pll_set *best)
{
	uint32_t best_err = UINT32_MAX;
	uint32_t best_vco = UINT32_MAX;
	unsigned m, p, k;

	if (!ref_hz || !want_hz)
		return false;

	for (m = 1; m <= PLL_M_MAX; m++) {
		uint32_t pfd = ref_hz / m;

		if (pfd > lim->pfd_hi)
			continue;
		if (pfd < lim->pfd_lo)
			break;		/* only gets slower from here */

		for (p = 8; p >= 2; p -= 2) {
			uint64_t prod = (uint64_t)want_hz * m * p;
			uint64_t n = prod / ref_hz;

			/* n lands just below the target, n + 1 just above */
			for (k = 0; k < 2; k++, n++) {
				uint64_t vco, out;
				uint32_t err;

				if (n < PLL_N_MIN || n > PLL_N_MAX)
					continue;

				vco = (uint64_t)ref_hz * n / m;
				if (vco < lim->vco_lo || vco > lim->vco_hi)
					continue;

				out = ((uint64_t)ref_hz * n + m * p / 2) / (m * p);
				err = out > want_hz ? (uint32_t)(out - want_hz)
						    : (uint32_t)(want_hz - out);
				if (err > best_err)
					continue;
				/* same error: a slow VCO burns less */
				if (err == best_err && vco >= best_vco)
					continue;

				best_err = err;
				best_vco = (uint32_t)vco;
				best->m = (uint8_t)m;
				best->n = (uint8_t)n;
				best->p = (uint8_t)p;
				best->rge = (uint8_t)lock_range(pfd);
				best->sdm = (int16_t)(((int64_t)prod - (int64_t)(n * ref_hz)) * 8192
						      / (int64_t)ref_hz);
				best->err_hz = err;
				best->vco_hz = best_vco;
			}
		}
	}

	/* nothing legal leaves best_err at its maximum */
	return (uint64_t)best_err * 1000u < want_hz;
}
