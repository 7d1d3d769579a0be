/* What providers get wrong, each looked for in ours. Usage: mistakes CASE openssl.cnf key.pem public.pem file. Ends with 0 when
 * all is right. */
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static OSSL_LIB_CTX *libctx;
static OSSL_PROVIDER *provider;
static EVP_PKEY *key, *public;
static const char *file;

static void tables(void)
{
    for (int operation = 1; operation < 32; operation++) {
        int no_cache = 1;
        const OSSL_ALGORITHM *first = OSSL_PROVIDER_query_operation(provider, operation, &no_cache);
        CHECK(no_cache == 0 && first == OSSL_PROVIDER_query_operation(provider, operation, &no_cache));
    }
}

static void export(void)
{
    OSSL_PARAM *params = NULL;
    CHECK(EVP_PKEY_todata(key, EVP_PKEY_KEYPAIR, &params) != 1);
    CHECK(EVP_PKEY_todata(key, OSSL_KEYMGMT_SELECT_PRIVATE_KEY, &params) != 1);
    CHECK(ERR_peek_error() == 0);
    CHECK(EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &params) == 1);
    OSSL_PARAM_free(params);
}

static void match(void)
{
    CHECK(EVP_PKEY_eq(key, public) == 1 && EVP_PKEY_eq(public, key) == 1);
    CHECK(EVP_PKEY_parameters_eq(key, public) == 1);
    CHECK(ERR_peek_error() == 0);
}

static void has(void)
{
    CHECK(EVP_PKEY_missing_parameters(key) == 0);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(libctx, key, NULL);
    CHECK(EVP_PKEY_public_check(ctx) == 1 && EVP_PKEY_param_check(ctx) == 1);
    EVP_PKEY_CTX_free(ctx);
    ctx = EVP_PKEY_CTX_new_from_pkey(libctx, public, "provider=parsec");
    CHECK(EVP_PKEY_private_check(ctx) != 1 && EVP_PKEY_sign_init(ctx) != 1);
    EVP_PKEY_CTX_free(ctx);
}

static void sizes(void)
{
    CHECK(EVP_PKEY_get_size(key) == EVP_PKEY_get_size(public));
    CHECK(EVP_PKEY_get_bits(key) == EVP_PKEY_get_bits(public));
    CHECK(EVP_PKEY_get_security_bits(key) == EVP_PKEY_get_security_bits(public));
}

/* Signs with a digest by this name, and verifies elsewhere. */
static void sign(const char *digest)
{
    unsigned char signature[512];
    size_t most = 0, len = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new(), *check = EVP_MD_CTX_new();
    CHECK(EVP_DigestSignInit_ex(ctx, NULL, digest, libctx, NULL, key, NULL) == 1);
    CHECK(EVP_DigestSign(ctx, NULL, &most, (const unsigned char *)"hello", 5) == 1);
    CHECK(most == (size_t)EVP_PKEY_get_size(key));
    CHECK(EVP_DigestSign(ctx, signature, &len, (const unsigned char *)"hello", 5) == 1 && len <= most);
    CHECK(EVP_DigestVerifyInit_ex(check, NULL, digest, libctx, NULL, public, NULL) == 1);
    CHECK(EVP_DigestVerify(check, signature, len, (const unsigned char *)"hello", 5) == 1);
    EVP_MD_CTX_free(ctx);
    EVP_MD_CTX_free(check);
}

static const char *const names[] = { NULL, "SHA256", "sha256", "SHA2-256", "SHA-256", "2.16.840.1.101.3.4.2.1", "SHA3-384" };

static void digests(void)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        sign(names[i]);
}

static void starts(void)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new(), *copy = EVP_MD_CTX_new();
        EVP_PKEY_CTX *params = NULL;
        size_t len;
        CHECK(EVP_DigestSignInit_ex(ctx, &params, names[i], libctx, NULL, key, NULL) == 1);
        if (EVP_PKEY_is_a(key, "RSA"))
            CHECK(EVP_PKEY_CTX_set_rsa_padding(params, RSA_PKCS1_PSS_PADDING) == 1
                && EVP_PKEY_CTX_set_rsa_pss_saltlen(params, RSA_PSS_SALTLEN_DIGEST) == 1);
        CHECK(EVP_DigestSignUpdate(ctx, "hello", 5) == 1 && EVP_MD_CTX_copy_ex(copy, ctx) == 1);
        CHECK(EVP_DigestSignFinal(copy, NULL, &len) == 1);
        EVP_MD_CTX_free(ctx);
        EVP_MD_CTX_free(copy);
    }
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(libctx, key, NULL);
    CHECK(EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_verify_init(ctx) == 1);
    EVP_PKEY_CTX_free(ctx);
    CHECK(EVP_PKEY_digestsign_supports_digest(key, libctx, "SHA384", NULL) == 1);
}

static void params(void)
{
    char name[64] = "";
    int number = 0;
    unsigned char wide[8];
    OSSL_PARAM asked[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_construct_int(OSSL_PKEY_PARAM_BITS, &number),
        OSSL_PARAM_construct_end(),
    };
    CHECK(EVP_PKEY_get_params(key, asked) == 1);
    CHECK(asked[0].return_size == 6 && number == EVP_PKEY_get_bits(key));
    asked[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, name, sizeof(name));
    asked[1] = OSSL_PARAM_construct_uint64(OSSL_PKEY_PARAM_BITS, (uint64_t *)(void *)wide);
    CHECK(EVP_PKEY_get_params(key, asked) == 1);
    CHECK(strcmp(name, "SHA256") == 0 && *(uint64_t *)(void *)wide == (uint64_t)number);
    asked[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, name, 3);
    CHECK(EVP_PKEY_get_params(key, asked) != 1);
}

/* Whatever a key of the default provider's tells of itself, ours tells too, and the same. */
static void getters(void)
{
    int told = 0;
    for (const OSSL_PARAM *known = EVP_PKEY_gettable_params(public); known->key != NULL; known++) {
        unsigned char theirs[2048] = "", ours[2048] = "";
        OSSL_PARAM asked[] = { *known, OSSL_PARAM_END };
        asked[0].data = theirs;
        asked[0].data_size = sizeof(theirs);
        asked[0].return_size = OSSL_PARAM_UNMODIFIED;
        /* what the default provider's own arithmetic is told with a key */
        if (strcmp(known->key, "use-cofactor-flag") == 0 || strcmp(known->key, "group-check") == 0)
            continue;
        if (EVP_PKEY_get_params(public, asked) != 1 || !OSSL_PARAM_modified(asked))
            continue;
        asked[0].data = ours;
        asked[0].return_size = OSSL_PARAM_UNMODIFIED;
        if (EVP_PKEY_get_params(key, asked) != 1 || !OSSL_PARAM_modified(asked) || memcmp(theirs, ours, sizeof(ours)) != 0) {
            fprintf(stderr, "the parameter %s differs\n", known->key);
            CHECK(0);
        }
        told++;
    }
    CHECK(told >= 5 && ERR_peek_error() == 0);
    CHECK(EVP_PKEY_get_field_type(key) == EVP_PKEY_get_field_type(public));
}

/* What is set of a signature is told as it was set. */
static void settings(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(libctx, key, NULL);
    const EVP_MD *md = NULL;
    int number;
    CHECK(EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha384()) == 1);
    CHECK(EVP_PKEY_CTX_get_signature_md(ctx, &md) == 1 && EVP_MD_is_a(md, "SHA384"));
    if (EVP_PKEY_is_a(key, "RSA")) {
        const int paddings[] = { RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING };
        for (size_t i = 0; i < 2; i++) {
            CHECK(EVP_PKEY_CTX_set_rsa_padding(ctx, paddings[i]) == 1);
            CHECK(EVP_PKEY_CTX_get_rsa_padding(ctx, &number) > 0 && number == paddings[i]);
        }
        const int salts[] = { RSA_PSS_SALTLEN_DIGEST, RSA_PSS_SALTLEN_AUTO, RSA_PSS_SALTLEN_MAX, 0, 1, 32, 48, 206 };
        for (size_t i = 0; i < sizeof(salts) / sizeof(*salts); i++) {
            CHECK(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salts[i]) == 1);
            CHECK(EVP_PKEY_CTX_get_rsa_pss_saltlen(ctx, &number) > 0 && number == salts[i]);
        }
        CHECK(EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha384()) == 1);
        CHECK(EVP_PKEY_CTX_get_rsa_mgf1_md(ctx, &md) == 1 && EVP_MD_is_a(md, "SHA384"));
    }
    EVP_PKEY_CTX_free(ctx);
}

/* Each part of a key in text, also by the default provider's encoders alone, which may refuse. */
static void print(void)
{
    int (*const prints[])(BIO *, const EVP_PKEY *, int, ASN1_PCTX *) = {
        EVP_PKEY_print_params, EVP_PKEY_print_public, EVP_PKEY_print_private,
    };
    for (size_t i = 0; i < sizeof(prints) / sizeof(*prints); i++) {
        BIO *ours = BIO_new(BIO_s_mem()), *theirs = BIO_new(BIO_s_mem());
        CHECK(prints[i](theirs, public, 0, NULL) == 1 || i == 2);
        CHECK(prints[i](ours, key, 0, NULL) == 1 && BIO_pending(ours) > 0);
        BIO_free(ours);
        BIO_free(theirs);
    }
    const int selections[] = { EVP_PKEY_KEY_PARAMETERS, EVP_PKEY_PUBLIC_KEY, EVP_PKEY_KEYPAIR };
    const char *const outputs[] = { "TEXT", "PEM", "DER" };
    for (size_t i = 0; i < 9; i++) {
        BIO *bio = BIO_new(BIO_s_mem());
        OSSL_ENCODER_CTX *encoder
            = OSSL_ENCODER_CTX_new_for_pkey(key, selections[i / 3], outputs[i % 3], NULL, "provider=default");
        OSSL_ENCODER_to_bio(encoder, bio);
        OSSL_ENCODER_CTX_free(encoder);
        BIO_free(bio);
    }
}

static int count(const OSSL_PARAM params[], void *counter)
{
    (void)params;
    ++*(int *)counter;
    return 1;
}

static void capabilities(void)
{
    int counter = 0, no_cache;
    CHECK(OSSL_PROVIDER_get_capabilities(provider, "TLS-SIGALG", count, &counter) == 1 && counter == 0);
    CHECK(OSSL_PROVIDER_get_capabilities(provider, "TLS-GROUP", count, &counter) == 1 && counter == 7);
    int others[] = { OSSL_OP_DIGEST, OSSL_OP_CIPHER, OSSL_OP_MAC, OSSL_OP_KDF, OSSL_OP_RAND, OSSL_OP_KEM };
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        CHECK(OSSL_PROVIDER_query_operation(provider, others[i], &no_cache) == NULL);
}

static void noise(void)
{
    BIO *bio = BIO_new_file(file, "r");
    EVP_PKEY *read = NULL;
    OSSL_DECODER_CTX *decoder = OSSL_DECODER_CTX_new_for_pkey(&read, "PEM", NULL, NULL, 0, libctx, "?provider=parsec");
    CHECK(OSSL_DECODER_from_bio(decoder, bio) == 1 && read != NULL);
    for (unsigned long error; (error = ERR_get_error()) != 0;)
        CHECK(strstr(ERR_reason_error_string(error) ? ERR_reason_error_string(error) : "", "reference") == NULL);
    OSSL_DECODER_CTX_free(decoder);
    EVP_PKEY_free(read);
    BIO_free(bio);
}

int main(int argc, char **argv)
{
    const struct { const char *name; void (*run)(void); } cases[] = {
        { "tables", tables }, { "export", export }, { "match", match }, { "has", has }, { "sizes", sizes },
        { "digests", digests }, { "params", params }, { "print", print }, { "getters", getters }, { "settings", settings }, { "starts", starts }, { "capabilities", capabilities }, { "noise", noise },
    };
    CHECK(argc == 6);
    libctx = OSSL_LIB_CTX_new();
    CHECK(OSSL_LIB_CTX_load_config(libctx, argv[2]) == 1);
    CHECK((provider = OSSL_PROVIDER_load(libctx, "parsec")) != NULL);
    BIO *bio = BIO_new_file(argv[3], "r");
    CHECK((key = PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, libctx, NULL)) != NULL);
    BIO_free(bio);
    bio = BIO_new_file(argv[4], "r");
    CHECK((public = PEM_read_bio_PUBKEY_ex(bio, NULL, NULL, NULL, libctx, "provider=default")) != NULL);
    BIO_free(bio);
    file = argv[5];
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        if (strcmp(cases[i].name, argv[1]) == 0) {
            cases[i].run();
            EVP_PKEY_free(key);
            EVP_PKEY_free(public);
            OSSL_PROVIDER_unload(provider);
            OSSL_LIB_CTX_free(libctx);
            return 0;
        }
    return 2;
}
