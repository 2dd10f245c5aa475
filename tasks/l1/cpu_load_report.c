#include <stdint.h>

#define LOAD_MAX_TASKS   8
#define LOAD_STACK_WORDS 8
#define LOAD_PAINT       0xA5A5A5A5u

typedef struct {
   char     name[12];
   uint32_t lastRun;
   uint32_t stack[LOAD_STACK_WORDS];   // lowest words of the stack, painted at start
   uint16_t permille;
   uint8_t  stackLow;
} LoadTask;

struct loadstat {
   uint32_t lastTime;
   uint8_t  nTasks;
   uint8_t  clamped;                   // reports in which the counters claimed too much
   uint16_t idlePermille;
   double   avg1, avg5, avg15;
   LoadTask task[LOAD_MAX_TASKS];
};

extern int trace_printf(const char *fmt, ...);
extern uint32_t task_runtime(unsigned id);

// decay per report, by how often somebody asks: about 1 s, 5 s, 20 s
static const double decay[3][3] = {
   { 0.98347145, 0.99667221, 0.99888951 },
   { 0.92004441, 0.98347145, 0.99445984 },
   { 0.71653131, 0.93550699, 0.97802298 },
};

int cpu_load_report(struct loadstat *ls, uint32_t now, unsigned verbose)
{
   uint32_t used[LOAD_MAX_TASKS + 1];
   uint64_t rem[LOAD_MAX_TASKS + 1];
   uint16_t share[LOAD_MAX_TASKS + 1];
   uint64_t sum = 0;
   unsigned left = 1000;
   const unsigned n = ls->nTasks > LOAD_MAX_TASKS ? LOAD_MAX_TASKS : ls->nTasks;
   const uint32_t elapsed = now - ls->lastTime;

   if (elapsed == 0)
      return -1;

   for (unsigned i = 0; i < n; i++) {
      uint32_t run = task_runtime(i);
      used[i] = run - ls->task[i].lastRun;
      ls->task[i].lastRun = run;
      sum += used[i];
   }
   ls->lastTime = now;

   uint64_t whole = elapsed;
   used[n] = 0;                        // the idle task
   if (sum > elapsed) {
      whole = sum;
      ls->clamped++;
   } else {
      used[n] = (uint32_t)(elapsed - sum);
   }

   for (unsigned i = 0; i <= n; i++) {
      uint64_t scaled = (uint64_t)used[i] * 1000u;
      share[i] = (uint16_t)(scaled / whole);
      rem[i] = scaled % whole;
      left -= share[i];
   }
   // hand out the rest, the largest remainder first
   while (left > 0) {
      unsigned best = 0;
      for (unsigned i = 1; i <= n; i++)
         if (rem[i] > rem[best])
            best = i;
      share[best]++;
      rem[best] = 0;
      left--;
   }

   ls->idlePermille = share[n];
   const int load = 1000 - share[n];

   const double *f = decay[elapsed < 3000000u ? 0 : elapsed < 12000000u ? 1 : 2];
   ls->avg1 = ls->avg1 * f[0] + load * (1.0 - f[0]);
   ls->avg5 = ls->avg5 * f[1] + load * (1.0 - f[1]);
   ls->avg15 = ls->avg15 * f[2] + load * (1.0 - f[2]);

   for (unsigned i = 0; i < n; i++) {
      LoadTask *t = &ls->task[i];
      unsigned clean = 0;
      while (clean < LOAD_STACK_WORDS && t->stack[clean] == LOAD_PAINT)
         clean++;
      t->stackLow = clean < 2 ? 2 : clean < LOAD_STACK_WORDS ? 1 : 0;
      t->permille = share[i];

      if (verbose == 0 || (t->permille == 0 && t->stackLow < 2))
         continue;
      int rc = trace_printf("%-11s %3u.%u%% %s\n", t->name, t->permille / 10u, t->permille % 10u,
                            t->stackLow == 2 ? "STACK!" : "");
      if (rc < 0)
         verbose = 0;
   }
   if (verbose > 1)
      trace_printf("load %d  %.2f %.2f %.2f\n", load, ls->avg1 / 10.0, ls->avg5 / 10.0, ls->avg15 / 10.0);
   return load;
}
