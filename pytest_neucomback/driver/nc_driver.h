/* Shared by the driver, the per-task glue and the runtime. layout.py mirrors struct nc_control. */
#ifndef NC_DRIVER_H
#define NC_DRIVER_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;

#define NC_CONTROL_ADDR 0x08000000ul
#define NC_STUBS_ADDR 0x06000000ul
#define NC_MAX_REGIONS 64
#define NC_MAX_ARGS 64
#define NC_MAX_SAMPLES 4096
#define NC_MAX_MOCKS 16
#define NC_MOCK_RETURNS 256
#define NC_MAX_FILLS 8
#define NC_MOCK_DATA 16384
#define NC_MOCK_LOG 1024
#define NC_MASK_BYTES 4096
#define NC_UNSEEN 0xffffffffu /* stride of an object that a mock must not look at */

struct nc_region {
    u64 addr;        /* where the driver maps it */
    u64 offset;      /* in the file of objects */
    u64 size;        /* whole pages */
    u64 data_addr;   /* first byte of the object inside */
    u64 data_size;
    u64 float_size;  /* of the elements, when they are floating-point numbers; else 0 */
    u32 stride;      /* size of an element that has bytes without meaning, else 0, or NC_UNSEEN */
    u32 mask;        /* where in the masks its bits that count begin */
    u64 opaque;      /* right programs may leave different bits: no digest tells anything */
};

struct nc_control {
    u32 control_size; /* written by the driver when it is ready, checked by the parent */
    u32 n_regions;
    u32 seccomp;      /* install the filter before the first call */
    u32 n_preserved;
    u64 limit_memory, limit_cpu_s; /* set by the driver where it runs natively; 0 where somebody else did */
    u64 args[NC_MAX_ARGS];   /* argument slots, as the glue reads them */
    u64 ret[16];
    u64 junk[64];            /* planted in the preserved registers before the call */
    u64 seen[64];            /* the same registers as the candidate left them */
    u64 sp_error;            /* stack pointer on return minus what it should be */
    u64 flag_error;          /* 1 direction flag, 2 rounding or exception control changed, 4 x87 stack not empty,
                                8 address of the result not returned */
    u64 call_error;          /* at a call out: 1 stack pointer not aligned, 2 direction flag set */
    u64 stack_error;         /* memory of the caller's frame changed: 1 + bytes above the stack arguments' start */
    u64 stack_fill;          /* bytes of stack to watch for how deep the call goes; 0 when nobody asks */
    u64 stack_used;          /* from where the stack arguments begin down to the deepest word that changed */
    u32 signal, code;        /* a fault: number and si_code */
    u64 fault_addr;
    u64 fault_regs[48];      /* in the order of the arch row's crash_registers */
    u64 fault_stack[3];      /* words just below and at the stack pointer, where it is one; the stack's top */
    u64 text_start, text_end; /* the candidate's own code, for naming the faulting line */
    /* mocks */
    u64 mock_calls;
    u64 mock_digest;
    u64 mock_log_used;       /* words of the log */
    u32 mock_used[NC_MAX_MOCKS]; /* calls of each mock so far */
    u32 mock_return_count[NC_MAX_MOCKS];
    u64 mock_returns[NC_MAX_MOCKS][NC_MOCK_RETURNS]; /* in turn, then from the start again */
    u32 fill_base[NC_MAX_FILLS], fill_stride[NC_MAX_FILLS], fill_count[NC_MAX_FILLS]; /* bytes of mock_data */
    u64 mock_log[NC_MOCK_LOG]; /* what was called with what, for diagnostics; mock_digest covers all of it */
    u8 mock_data[NC_MOCK_DATA]; /* what mocks write */
    u8 masks[NC_MASK_BYTES];
    u64 unwound;             /* the call ended in a mock that does not return */
    /* timing: `reps` calls, a sample each; inputs are restored before every call, outside the clock */
    u64 reps, restore;
    u64 empty;               /* time the trampoline alone, to know what restoring costs */
    u64 stack_shift;         /* how many times 16 bytes lower than usual the stack begins */
    u64 seed;                /* changes the last bit of some floating-point inputs, differently in each call */
    u64 ret_bytes, ret_float_bytes; /* of the result that a digest covers; size of its numbers, 0 for no floats */
    u64 digest;              /* of what each call left */
    u64 overhead_ticks;
    u64 clock_ns, clock_ticks; /* how long the whole batch took on both clocks */
    u64 samples[NC_MAX_SAMPLES];
    struct nc_region regions[NC_MAX_REGIONS];
};

#define NC_CTL ((struct nc_control *)NC_CONTROL_ADDR)

/* trampoline_ARCH.S */
extern void nc_call(void);    /* called with the task's own arguments; reaches the candidate by a jump */
extern void nc_unwind(void) __attribute__((noreturn));
extern void nc_empty(void);   /* returns at once: what the trampoline itself costs */
extern void nc_on_stack(void (*function)(void), u64 top);
extern void nc_outside(void); /* the way out of a candidate: mocks and runtime are called through it */
extern u64 nc_target;
extern u32 nc_checked;        /* junk before, inspection after the call; off while timing */
extern u32 nc_depth;

/* glue of the task */
extern void nc_invoke(void);
/* Registers and stack bytes that the task's arguments take; a register more is called used where that is not clear. */
extern const u32 nc_int_args, nc_fp_args, nc_narrow_fp_args, nc_stack_args, nc_result_address, nc_copy_bytes,
    nc_x87_result, nc_result_in_memory;
extern void (*const nc_candidate_entry)(void);

#include "nc_mock.h"

#endif
