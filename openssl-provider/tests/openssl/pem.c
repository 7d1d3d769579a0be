/* Reads files as programs do that know only OpenSSL's functions. Usage: pem openssl.cnf public.pem file... Each file has to hold our
 * key, whatever else it holds and whatever errors were left in the queue before. Ends with 0 when all is right. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/store.h>
#include <string.h>

#include "check.h"

static EVP_PKEY *public;

static void ours(EVP_PKEY *key, const char *file)
{
    if (key == NULL)
        fprintf(stderr, "%s\n", file);
    CHECK(key != NULL && EVP_PKEY_eq(key, public) == 1);
    CHECK(strcmp(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)), "parsec") == 0);
    EVP_PKEY_free(key);
}

static BIO *opened(const char *file)
{
    BIO *bio = BIO_new_file(file, "r");
    CHECK(bio != NULL);
    return bio;
}

/* As postfix reads its chain files: the PEM by itself, the key by the label. */
static void by_label(const char *file)
{
    char *name, *header;
    unsigned char *data;
    long len;
    EVP_PKEY *key = NULL;
    BIO *bio = opened(file);
    while (key == NULL && PEM_read_bio(bio, &name, &header, &data, &len)) {
        const unsigned char *der = data;
        if (strcmp(name, PEM_STRING_PKCS8INF) == 0) {
            PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &der, len);
            CHECK(info != NULL);
            key = EVP_PKCS82PKEY(info);
            PKCS8_PRIV_KEY_INFO_free(info);
            der = data;
            ours(d2i_AutoPrivateKey(NULL, &der, len), file);
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
    }
    BIO_free(bio);
    ours(key, file);
}

/* As nginx reads store: and openssl any key: the first private key of the file. */
static EVP_PKEY *by_store(const char *file)
{
    EVP_PKEY *key = NULL;
    OSSL_STORE_CTX *store = OSSL_STORE_open(file, NULL, NULL, NULL, NULL);
    CHECK(store != NULL && OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY) == 1);
    while (key == NULL && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        if (info != NULL && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
            key = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
    }
    CHECK(OSSL_STORE_close(store) == 1);
    return key;
}

int main(int argc, char **argv)
{
    CHECK(argc > 3 && OSSL_LIB_CTX_load_config(NULL, argv[1]));
    BIO *bio = opened(argv[2]);
    CHECK((public = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL)) != NULL);
    BIO_free(bio);
    for (int i = 3; i < argc; i++) {
        for (int old = 0; old < 2; old++) {
            ERR_clear_error();
            if (old)
                ERR_raise(ERR_LIB_RSA, RSA_R_BAD_SIGNATURE);
            bio = opened(argv[i]);
            ours(PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL), argv[i]);
            BIO_free(bio);
            CHECK(ERR_GET_REASON(ERR_peek_error()) == (old ? RSA_R_BAD_SIGNATURE : 0));
            ours(by_store(argv[i]), argv[i]);
            /* of a public key that nobody asked for OpenSSL leaves an error, in front of a key in a file too */
            CHECK(strstr(argv[i], "public") || ERR_GET_REASON(ERR_peek_last_error()) == (old ? RSA_R_BAD_SIGNATURE : 0));
        }
        if (strstr(argv[i], "pkcs8-labelled"))
            by_label(argv[i]);
    }
    return 0;
}
