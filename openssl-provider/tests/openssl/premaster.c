/* What a TLS server gets from RSA_PKCS1_WITH_TLS_PADDING: 48 bytes, whatever the client sent. Usage: premaster openssl.cnf
 * key.pem. Prints nothing and ends with 0 when all was right. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

#include "check.h"

static OSSL_LIB_CTX *libctx;
static EVP_PKEY *key;

static int encrypt(const unsigned char *message, size_t len, unsigned char ciphertext[256])
{
    size_t made = 256;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(libctx, key, NULL);
    CHECK(EVP_PKEY_encrypt_init(ctx) == 1);
    CHECK(EVP_PKEY_encrypt(ctx, ciphertext, &made, message, len) == 1 && made == 256);
    EVP_PKEY_CTX_free(ctx);
    return 0;
}

static int decrypt(unsigned version, unsigned char secret[48], unsigned char ciphertext[256])
{
    size_t len = 0;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(libctx, key, NULL);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_uint(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, &version),
        OSSL_PARAM_construct_end(),
    };
    CHECK(EVP_PKEY_decrypt_init(ctx) == 1);
    CHECK(EVP_PKEY_CTX_set_params(ctx, params) == 1);
    CHECK(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_WITH_TLS_PADDING) == 1);
    CHECK(EVP_PKEY_decrypt(ctx, NULL, &len, ciphertext, 256) == 1 && len == 48);
    CHECK(EVP_PKEY_decrypt(ctx, secret, &len, ciphertext, 256) == 1 && len == 48);
    CHECK(ERR_peek_error() == 0);
    EVP_PKEY_CTX_free(ctx);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned char message[49] = {3, 3, 'x'}, ciphertext[256], secret[48], again[48];
    size_t len;
    BIO *file;
    CHECK(argc == 3 && (file = BIO_new_file(argv[2], "r")) && (libctx = OSSL_LIB_CTX_new()));
    CHECK(OSSL_LIB_CTX_load_config(libctx, argv[1]));
    CHECK((key = PEM_read_bio_PrivateKey_ex(file, NULL, NULL, NULL, libctx, NULL)));

    CHECK(encrypt(message, 48, ciphertext) == 0 && decrypt(0x303, secret, ciphertext) == 0);
    CHECK(memcmp(secret, message, 48) == 0);

    /* of another version */
    CHECK(decrypt(0x302, secret, ciphertext) == 0 && decrypt(0x302, again, ciphertext) == 0);
    CHECK(memcmp(secret, message, 48) != 0 && memcmp(secret, again, 48) != 0);

    /* without padding */
    ciphertext[255] ^= 1;
    CHECK(decrypt(0x303, secret, ciphertext) == 0 && decrypt(0x303, again, ciphertext) == 0);
    CHECK(memcmp(secret, again, 48) != 0);

    /* of another length */
    for (len = 47; len <= 49; len += 2) {
        CHECK(encrypt(message, len, ciphertext) == 0 && decrypt(0x303, secret, ciphertext) == 0);
        CHECK(memcmp(secret, message, 47) != 0);
    }

    EVP_PKEY_free(key);
    BIO_free(file);
    OSSL_LIB_CTX_free(libctx);
    return 0;
}
