/* Usage: fresh one two. Makes EC keys without a name as programs do. The first one agrees on a secret, signs, and is written by two processes at
 * once, into both files. Others are made and used, and never written; the process of one is killed. Ends with 0 when all is right. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "check.h"

static EVP_PKEY *made(void)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    CHECK(key != NULL && strcmp(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(key)), "parsec") == 0);
    return key;
}

static void agree(EVP_PKEY *key, EVP_PKEY *other)
{
    unsigned char secrets[2][32];
    for (int i = 0; i < 2; i++) {
        size_t len = 32;
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(i == 0 ? key : other, NULL);
        CHECK(EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, i == 0 ? other : key) == 1);
        CHECK(EVP_PKEY_derive(ctx, secrets[i], &len) == 1 && len == 32);
        EVP_PKEY_CTX_free(ctx);
    }
    CHECK(memcmp(secrets[0], secrets[1], 32) == 0);
}

static void sign(EVP_PKEY *key)
{
    unsigned char signature[128];
    size_t len = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    CHECK(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1);
    CHECK(EVP_DigestSign(ctx, signature, &len, (const unsigned char *)"hello", 5) == 1);
    EVP_MD_CTX_free(ctx);
    ctx = EVP_MD_CTX_new();
    CHECK(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1);
    CHECK(EVP_DigestVerify(ctx, signature, len, (const unsigned char *)"hello", 5) == 1);
    EVP_MD_CTX_free(ctx);
}

static void write_to(EVP_PKEY *key, const char *file)
{
    BIO *bio = BIO_new_file(file, "w");
    CHECK(bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK(BIO_free(bio) == 1);
}

/* Starts a process; in it, this is 0. */
static pid_t child(void)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    return pid;
}

static int ended(pid_t pid)
{
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    EVP_PKEY *key = made(), *other = made(), *forgotten = made();
    agree(key, other);
    sign(key);
    agree(key, other);
    pid_t pid = child();
    write_to(key, argv[pid == 0 ? 1 : 2]);
    if (pid == 0)
        _exit(0);
    CHECK(ended(pid) == 0);
    sign(key);
    agree(key, other);

    /* this one the service has made */
    CHECK(i2d_PUBKEY(forgotten, NULL) > 0);
    sign(forgotten);
    agree(forgotten, other);
    EVP_PKEY_free(forgotten);
    EVP_PKEY_free(other);
    EVP_PKEY_free(key);

    if ((pid = child()) == 0) {
        sign(made());
        raise(SIGKILL);
    }
    CHECK(WTERMSIG(ended(pid)) == SIGKILL);
    return 0;
}
