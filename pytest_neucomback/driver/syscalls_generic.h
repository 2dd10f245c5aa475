/* System call numbers of the architectures that use the kernel's generic table. */
#define NC_SYS_close 57
#define NC_SYS_read 63
#define NC_SYS_write 64
#define NC_SYS_exit_group 94
#define NC_SYS_clock_gettime 113
#define NC_SYS_sigaltstack 132
#define NC_SYS_rt_sigaction 134
#define NC_SYS_prctl 167
#define NC_SYS_mmap 222
#define NC_SYS_mprotect 226
#define NC_SYS_prlimit64 261
