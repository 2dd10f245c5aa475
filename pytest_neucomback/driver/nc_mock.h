/* What the generated mocks of a task call (mocks.py). The driver and the stand-alone program of a repro have it. */
#ifndef NC_MOCK_H
#define NC_MOCK_H

#define NC_MOST 4096ul /* elements that a mock reads or writes at the most */

void nc_mock_begin(unsigned number);
void nc_mock_arg(unsigned long bits);
void nc_mock_pointer(const void *p);                    /* which object and where in it */
void nc_mock_bytes(const void *p, unsigned long count); /* what it points to */
void nc_mock_text(const char *text);
void nc_mock_format(const char *format, __builtin_va_list *arguments); /* of printf's kind */
void nc_mock_fill(unsigned slot, void *p, unsigned long bytes);
unsigned long nc_mock_return(void);
unsigned long nc_mock_narrow(unsigned long value, unsigned bits); /* with junk where a caller may rely on nothing */
void nc_mock_variadic(void); /* looks at how it was called */
void nc_unwind(void) __attribute__((noreturn));

#endif
