/* Usage: cleanup openssl.cnf key.pem certificate. Frees what it has of OpenSSL only after OPENSSL_cleanup(3), as programs do that free their
 * globals when they end. Ends with 0 when it survives that. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "check.h"

int main(int argc, char **argv)
{
    CHECK(argc == 4 && OSSL_LIB_CTX_load_config(NULL, argv[1]) == 1);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    CHECK(SSL_CTX_use_certificate_file(ctx, argv[3], SSL_FILETYPE_PEM) == 1);
    CHECK(SSL_CTX_use_PrivateKey_file(ctx, argv[2], SSL_FILETYPE_PEM) == 1);
    EVP_PKEY *key = SSL_CTX_get0_privatekey(ctx);
    EVP_PKEY_up_ref(key);
    /* an error of ours stands in the queue */
    EVP_PKEY_CTX *wrong = EVP_PKEY_CTX_new(key, NULL);
    CHECK(EVP_PKEY_sign_init(wrong) == 1 && EVP_PKEY_CTX_ctrl_str(wrong, "digest", "none") != 1);
    EVP_PKEY_CTX_free(wrong);
    OPENSSL_cleanup();
    SSL_CTX_free(ctx);
    EVP_PKEY_free(key);
    return 0;
}
