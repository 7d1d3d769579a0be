/* What server processes do around a key: load and unload the library, fork, drop privileges, close all descriptors, run
 * threads. Usage: process openssl.cnf key.pem uid. Prints nothing and ends with 0 when every signature was right. */
#define _GNU_SOURCE
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static OSSL_LIB_CTX *libctx;
static EVP_PKEY *key;

static void load(const char *conf, const char *pem)
{
    BIO *file = BIO_new_file(pem, "r");
    CHECK(libctx = OSSL_LIB_CTX_new());
    CHECK(OSSL_LIB_CTX_load_config(libctx, conf));
    CHECK(file && (key = PEM_read_bio_PrivateKey_ex(file, NULL, NULL, NULL, libctx, NULL)));
    BIO_free(file);
}

static void unload(void)
{
    EVP_PKEY_free(key);
    OSSL_LIB_CTX_free(libctx);
}

/* Signs in three parts with a copy in between, as X509_sign does, and verifies. */
static void *sign(void *unused)
{
    unsigned char signature[512];
    size_t len = sizeof(signature), most = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new(), *copy = EVP_MD_CTX_new(), *check = EVP_MD_CTX_new();
    CHECK(EVP_DigestSignInit_ex(ctx, NULL, NULL, libctx, NULL, key, NULL));
    CHECK(EVP_DigestSignUpdate(ctx, "he", 2));
    CHECK(EVP_MD_CTX_copy_ex(copy, ctx));
    CHECK(EVP_DigestSignUpdate(ctx, "xxx", 3));
    CHECK(EVP_DigestSignUpdate(copy, "llo", 3));
    CHECK(EVP_DigestSignFinal(copy, NULL, &most) && most == (size_t)EVP_PKEY_get_size(key));
    CHECK(EVP_DigestSignFinal(copy, signature, &len) && len <= most);
    CHECK(EVP_DigestVerifyInit_ex(check, NULL, "SHA256", libctx, NULL, key, NULL));
    CHECK(EVP_DigestVerify(check, signature, len, (const unsigned char *)"hello", 5) == 1);
    EVP_MD_CTX_free(ctx);
    EVP_MD_CTX_free(copy);
    EVP_MD_CTX_free(check);
    CHECK(ERR_peek_error() == 0);
    return unused;
}

/* The descriptors of a daemon that closed what it inherited: they take the numbers that the library's had. */
static void in_new_descriptors(void)
{
    int pipes[8][2];
    char byte = 0;
    closefrom(3);
    for (int i = 0; i < 8; i++)
        CHECK(pipe(pipes[i]) == 0);
    sign(NULL);
    for (int i = 0; i < 8; i++)
        CHECK(write(pipes[i][1], "x", 1) == 1 && read(pipes[i][0], &byte, 1) == 1 && byte == 'x');
}

static void worker(int number, uid_t uid)
{
    pthread_t threads[4];
    CHECK(geteuid() != 0 || setuid(uid) == 0);
    if (number == 0)
        in_new_descriptors();
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, sign, NULL) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    _exit(0);
}

int main(int argc, char **argv)
{
    int status;
    CHECK(argc == 4);
    for (int i = 0; i < 20; i++) {
        load(argv[1], argv[2]);
        sign(NULL);
        unload();
    }
    load(argv[1], argv[2]);
    sign(NULL);
    for (int i = 0; i < 4; i++)
        if (fork() == 0)
            worker(i, atoi(argv[3]));
    sign(NULL);
    for (int i = 0; i < 4; i++)
        CHECK(wait(&status) > 0 && status == 0);
    sign(NULL);
    unload();
    return 0;
}
