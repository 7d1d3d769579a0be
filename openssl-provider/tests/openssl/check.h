/* What the test programs have in common. */
#include <openssl/err.h>
#include <stdio.h>
#include <unistd.h>

/* Ends the process, a child's as well, with what failed and OpenSSL's errors. */
#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);   \
            ERR_print_errors_fp(stderr);                                      \
            _exit(1);                                                         \
        }                                                                     \
    } while (0)
