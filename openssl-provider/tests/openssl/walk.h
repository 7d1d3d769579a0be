/* Calls every function that OpenSSL has for keys like ours, with one of ours and with the same in a file. What differs is told. */
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* What a case works with: a key of ours, or the same in a file. */
struct subject {
    EVP_PKEY *key;
    /* The properties of its provider. */
    const char *properties;
    /* Where it is to be read from. */
    const char *file, *uri;
};

struct family {
    const char *name;
    void (*run)(const struct subject *subject);
};

/* The other key of its pair, in the default provider: what the case's key makes is checked with it. */
extern EVP_PKEY *theirs;
/* Its public half alone. */
extern EVP_PKEY *peer;
extern OSSL_LIB_CTX *libctx;

/* One answer, under the name of what was asked. */
void tell(const char *asked, const char *format, ...);
void tell_bytes(const char *asked, int result, const unsigned char *bytes, size_t len);
void tell_names(const char *asked, const OSSL_PARAM *params);

extern const struct family keys[], contexts[], files[];
