/* Signs a message again and again with OpenSSL. Usage: sign key.pem TIMES. OPENSSL_CONF loads the provider. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    FILE *file = argc == 3 ? fopen(argv[1], "r") : NULL;
    EVP_PKEY *key = file != NULL ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    for (int i = key != NULL ? atoi(argv[2]) : -1; i != 0; i--) {
        unsigned char signature[1024];
        size_t len = sizeof(signature);
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        if (i < 0 || EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) != 1
            || EVP_DigestSign(ctx, signature, &len, (const unsigned char *)"hello", 5) != 1) {
            ERR_print_errors_fp(stderr);
            return 1;
        }
        EVP_MD_CTX_free(ctx);
    }
    return 0;
}
