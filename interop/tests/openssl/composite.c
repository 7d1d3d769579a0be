/* Signs with algorithms that have their digest built in, which OpenSSL has from 3.4 on, in each way that there is; the default
   provider verifies, and so do we. Arguments: the algorithm, another kind's algorithm, a private key that is ours, its public key.
   OPENSSL_CONF loads the provider. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "../../../openssl-provider/tests/openssl/check.h"

static const unsigned char message[] = "hello, world";
static unsigned char signature[1024];
static size_t len;

/* Whether the signature is one of the message, whole and in parts. */
static int verifies(const char *algorithm, const char *properties, EVP_PKEY *key)
{
    EVP_SIGNATURE *scheme = EVP_SIGNATURE_fetch(NULL, algorithm, properties);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, properties);
    CHECK(scheme != NULL && ctx != NULL);
    CHECK(EVP_PKEY_verify_message_init(ctx, scheme, NULL) == 1);
    CHECK(EVP_PKEY_verify(ctx, signature, len, message, sizeof(message)) == 1);
    CHECK(EVP_PKEY_verify_message_init(ctx, scheme, NULL) == 1);
    CHECK(EVP_PKEY_verify(ctx, signature, len, message, sizeof(message) - 1) != 1);
    CHECK(EVP_PKEY_verify_message_init(ctx, scheme, NULL) == 1);
    CHECK(EVP_PKEY_CTX_set_signature(ctx, signature, len) == 1);
    CHECK(EVP_PKEY_verify_message_update(ctx, message, 5) == 1);
    CHECK(EVP_PKEY_verify_message_update(ctx, message + 5, sizeof(message) - 5) == 1);
    CHECK(EVP_PKEY_verify_message_final(ctx) == 1);
    ERR_clear_error();
    EVP_PKEY_CTX_free(ctx);
    EVP_SIGNATURE_free(scheme);
    return 0;
}

int main(int argc, char **argv)
{
    CHECK(argc == 5);
    FILE *file = fopen(argv[3], "r");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    file = fopen(argv[4], "r");
    EVP_PKEY *public = PEM_read_PUBKEY(file, NULL, NULL, NULL);
    fclose(file);
    CHECK(key != NULL && public != NULL);

    const char *ours = "provider=parsec";
    EVP_SIGNATURE *scheme = EVP_SIGNATURE_fetch(NULL, argv[1], ours);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    CHECK(scheme != NULL && ctx != NULL);

    /* a whole message */
    CHECK(EVP_PKEY_sign_message_init(ctx, scheme, NULL) == 1);
    len = sizeof(signature);
    CHECK(EVP_PKEY_sign(ctx, signature, &len, message, sizeof(message)) == 1);
    CHECK(verifies(argv[1], "provider=default", public) == 0);
    CHECK(verifies(argv[1], ours, key) == 0);

    /* in parts, after a copy */
    CHECK(EVP_PKEY_sign_message_init(ctx, scheme, NULL) == 1);
    CHECK(EVP_PKEY_sign_message_update(ctx, message, 5) == 1);
    EVP_PKEY_CTX *copy = EVP_PKEY_CTX_dup(ctx);
    CHECK(copy != NULL);
    CHECK(EVP_PKEY_sign_message_update(copy, message + 5, sizeof(message) - 5) == 1);
    CHECK(EVP_PKEY_sign_message_final(copy, NULL, &len) == 1 && len <= sizeof(signature));
    CHECK(EVP_PKEY_sign_message_final(copy, signature, &len) == 1);
    CHECK(verifies(argv[1], "provider=default", public) == 0);

    /* a digest made elsewhere, and one of the wrong length */
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t digest_len;
    CHECK(EVP_Q_digest(NULL, "SHA256", NULL, message, sizeof(message), digest, &digest_len) == 1);
    CHECK(EVP_PKEY_sign_init_ex2(ctx, scheme, NULL) == 1);
    len = sizeof(signature);
    CHECK(EVP_PKEY_sign(ctx, signature, &len, digest, digest_len) == 1);
    CHECK(verifies(argv[1], "provider=default", public) == 0);
    CHECK(EVP_PKEY_sign_init_ex2(ctx, scheme, NULL) == 1);
    len = sizeof(signature);
    CHECK(EVP_PKEY_sign(ctx, signature, &len, digest, digest_len - 1) != 1);

    /* its digest is built in */
    OSSL_PARAM params[] = { OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_DIGEST, "SHA384", 6), OSSL_PARAM_END };
    CHECK(EVP_PKEY_sign_message_init(ctx, scheme, NULL) == 1);
    EVP_PKEY_CTX_set_params(ctx, params);
    len = sizeof(signature);
    CHECK(EVP_PKEY_sign(ctx, signature, &len, message, sizeof(message)) == 1);
    CHECK(verifies(argv[1], "provider=default", public) == 0);

    /* a key of another kind */
    EVP_SIGNATURE *other = EVP_SIGNATURE_fetch(NULL, argv[2], ours);
    CHECK(other != NULL);
    CHECK(EVP_PKEY_sign_message_init(ctx, other, NULL) != 1);

    EVP_SIGNATURE_free(other);
    EVP_SIGNATURE_free(scheme);
    EVP_PKEY_CTX_free(copy);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(public);
    EVP_PKEY_free(key);
    return 0;
}
