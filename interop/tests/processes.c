/* What servers do with a key, each under a name. Usage: processes WHAT openssl.cnf key.pem certificate.pem [MORE…]. All but the
 * workers end, with 0 when every handshake or signature was made. */
#define _GNU_SOURCE
#include <grp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../openssl-provider/tests/openssl/check.h"

static OSSL_LIB_CTX *libctx;
static EVP_PKEY *key;
static SSL_CTX *server, *client;
static volatile int over;

static void load(char **files)
{
    BIO *file = BIO_new_file(files[1], "r");
    CHECK(libctx = OSSL_LIB_CTX_new());
    CHECK(OSSL_LIB_CTX_load_config(libctx, files[0]));
    CHECK(file && (key = PEM_read_bio_PrivateKey_ex(file, NULL, NULL, NULL, libctx, NULL)));
    BIO_free(file);
    CHECK(server = SSL_CTX_new_ex(libctx, NULL, TLS_server_method()));
    CHECK(client = SSL_CTX_new_ex(libctx, NULL, TLS_client_method()));
    CHECK(SSL_CTX_use_certificate_file(server, files[2], SSL_FILETYPE_PEM) == 1);
    CHECK(SSL_CTX_use_PrivateKey(server, key) == 1 && SSL_CTX_check_private_key(server) == 1);
}

/* Both ends of a handshake in this process. */
static int handshake(void)
{
    SSL *ends[2] = {SSL_new(server), SSL_new(client)};
    BIO *pipes[2];
    int done = 0, failed = 0;
    CHECK(ends[0] && ends[1] && BIO_new_bio_pair(&pipes[0], 0, &pipes[1], 0) == 1);
    SSL_set_accept_state(ends[0]);
    SSL_set_connect_state(ends[1]);
    for (int i = 0; i < 2; i++)
        SSL_set_bio(ends[i], pipes[i], pipes[i]);
    while (done != 3 && !failed) {
        for (int i = 1; i >= 0 && !failed; i--) {
            int result = SSL_do_handshake(ends[i]);
            if (result == 1)
                done |= 1 << i;
            else
                failed = SSL_get_error(ends[i], result) != SSL_ERROR_WANT_READ;
        }
    }
    SSL_free(ends[0]);
    SSL_free(ends[1]);
    return !failed;
}

/* Lines of one write, which do not mix with those of other processes. */
static void tell(const char *what)
{
    char line[300];
    const char *why = NULL;
    int flags;
    unsigned long error = ERR_get_error_all(NULL, NULL, NULL, &why, &flags);
    int len = snprintf(line, sizeof(line), "%u %s %s\n", geteuid(), what, error && why ? why : "");
    CHECK(write(1, line, len) == len);
    ERR_clear_error();
}

static void worker(uid_t uid)
{
    CHECK(setgroups(0, NULL) == 0 && setgid(uid) == 0 && setuid(uid) == 0);
    /* after the change of user, which undoes it */
    CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    for (;;)
        tell(handshake() ? "served" : "failed");
}

static void workers(int number, char **uids)
{
    for (int i = 0; i < number; i++)
        if (fork() == 0)
            worker(atoi(uids[i]));
    while (wait(NULL) > 0)
        ;
    CHECK(!"a worker ended");
}

/* The descriptors of a daemon that closed what it inherited: they take the numbers that the library's had. */
static void in_new_descriptors(void)
{
    int pipes[8][2];
    char byte = 0;
    CHECK(handshake());
    closefrom(3);
    for (int i = 0; i < 8; i++)
        CHECK(pipe(pipes[i]) == 0);
    CHECK(handshake());
    for (int i = 0; i < 8; i++)
        CHECK(write(pipes[i][1], "x", 1) == 1 && read(pipes[i][0], &byte, 1) == 1 && byte == 'x');
}

/* A server that turns into its user to answer, and back again. */
static void as_user(uid_t uid)
{
    for (int i = 0; i < 2; i++) {
        CHECK(handshake());
        CHECK(seteuid(uid) == 0 && handshake());
        CHECK(seteuid(0) == 0);
    }
}

static int is_open(ino_t socket)
{
    struct stat file;
    for (int fd = 3; fd < 64; fd++)
        if (fstat(fd, &file) == 0 && S_ISSOCK(file.st_mode) && (!socket || file.st_ino == socket))
            return fd;
    return 0;
}

/* A child, the first process of a PID namespace. */
static void first(void (*work)(ino_t), ino_t socket)
{
    int status;
    pid_t child;
    CHECK(unshare(CLONE_NEWPID) == 0 && (child = fork()) >= 0);
    if (child == 0) {
        CHECK(getpid() == 1);
        work(socket);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void without_inherited(ino_t socket)
{
    CHECK(is_open(socket) && handshake() && !is_open(socket));
}

/* Its child has the number that it has itself. */
static void of_one_number(ino_t unused)
{
    struct stat socket;
    CHECK(!is_open(unused) && handshake() && fstat(is_open(0), &socket) == 0);
    first(without_inherited, socket.st_ino);
    CHECK(handshake() && is_open(socket.st_ino));
}

static void *three(void *unused)
{
    for (int i = 0; i < 3; i++)
        CHECK(handshake());
    return unused;
}

/* A signature that only needs its data. */
static EVP_MD_CTX *ready;

/* Signs without libcrypto's own locks: a child of fork never gets one that another thread holds, and libcrypto does not mend that. */
static void *signs(void *unused)
{
    unsigned char signature[512];
    do {
        EVP_MD_CTX *own = EVP_MD_CTX_new();
        size_t len = sizeof(signature);
        CHECK(own && EVP_MD_CTX_copy_ex(own, ready) == 1);
        CHECK(EVP_DigestSign(own, signature, &len, (const unsigned char *)"data", 4) == 1);
        EVP_MD_CTX_free(own);
    } while (!over);
    return unused;
}

static void *until_over(void *unused)
{
    do
        CHECK(handshake());
    while (!over);
    return unused;
}

static void in_threads(int number, void *(*work)(void *), void (*meanwhile)(char **), char **files)
{
    pthread_t threads[64];
    CHECK(number <= 64);
    for (int i = 0; i < number; i++)
        CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
    if (meanwhile)
        meanwhile(files);
    over = 1;
    for (int i = 0; i < number; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static void forks(char **unused)
{
    int status;
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        if (child == 0) {
            CHECK(handshake());
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
}

static void loads(char **files)
{
    for (int i = 0; i < 1000; i++) {
        OSSL_LIB_CTX *other = OSSL_LIB_CTX_new();
        OSSL_PROVIDER *provider;
        CHECK(other && (provider = OSSL_PROVIDER_load(other, files[3])));
        CHECK(OSSL_PROVIDER_self_test(provider) == 1 && OSSL_PROVIDER_unload(provider) == 1);
        OSSL_LIB_CTX_free(other);
    }
}

int main(int argc, char **argv)
{
    char **files = argv + 2;
    CHECK(argc >= 5);
    if (!strcmp(argv[1], "reload")) {
        /* nothing else keeps the library in the process */
        loads(files);
        return 0;
    }
    load(files);
    if (!strcmp(argv[1], "workers"))
        workers(argc - 5, argv + 5);
    else if (!strcmp(argv[1], "chroot"))
        CHECK(chroot(argv[5]) == 0 && chdir("/") == 0 && handshake());
    else if (!strcmp(argv[1], "closefrom"))
        in_new_descriptors();
    else if (!strcmp(argv[1], "user"))
        as_user(atoi(argv[5]));
    else if (!strcmp(argv[1], "pids"))
        first(of_one_number, 0);
    else if (!strcmp(argv[1], "threads"))
        in_threads(64, three, NULL, files);
    else if (!strcmp(argv[1], "fork-beside-threads")) {
        CHECK((ready = EVP_MD_CTX_new()) && EVP_DigestSignInit_ex(ready, NULL, "SHA256", libctx, NULL, key, NULL) == 1);
        in_threads(2, signs, forks, files);
        EVP_MD_CTX_free(ready);
    }
    else if (!strcmp(argv[1], "reload-beside-threads"))
        in_threads(2, until_over, loads, files);
    else
        CHECK(!"a known name");
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    EVP_PKEY_free(key);
    OSSL_LIB_CTX_free(libctx);
    return 0;
}
