/* One thread serves many TLS handshakes at a time, each in a job of its own that pauses while the service signs. Usage:
 * async openssl.cnf key.pem certificate.pem count. The service is to answer none before it has been asked `count` times.
 * Prints nothing and ends with 0 when every handshake came to its end, and a job given up half way left no descriptor. */
#include <dirent.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

struct pair {
    SSL *server, *client;
};

static SSL_CTX *servers, *clients;

static struct pair connected(void)
{
    struct pair pair = {SSL_new(servers), SSL_new(clients)};
    BIO *ours, *theirs;
    CHECK(pair.server && pair.client && BIO_new_bio_pair(&ours, 0, &theirs, 0));
    SSL_set_bio(pair.server, ours, ours);
    SSL_set_bio(pair.client, theirs, theirs);
    SSL_set_accept_state(pair.server);
    SSL_set_connect_state(pair.client);
    return pair;
}

static void drop(struct pair pair)
{
    SSL_free(pair.server);
    SSL_free(pair.client);
}

/* Goes on until the handshake is done (1) or its job pauses (0). */
static int step(struct pair pair)
{
    for (;;) {
        int client = SSL_do_handshake(pair.client);
        int server = SSL_do_handshake(pair.server);
        int wants = SSL_get_error(pair.server, server);
        if (client == 1 && server == 1) return 1;
        if (wants == SSL_ERROR_WANT_ASYNC) return 0;
        CHECK(server == 1 || wants == SSL_ERROR_WANT_READ || wants == SSL_ERROR_WANT_WRITE);
        CHECK(client == 1 || SSL_get_error(pair.client, client) == SSL_ERROR_WANT_READ);
    }
}

static OSSL_ASYNC_FD waits_for(struct pair pair)
{
    OSSL_ASYNC_FD fd;
    size_t count = 0;
    CHECK(SSL_get_all_async_fds(pair.server, NULL, &count) && count == 1);
    CHECK(SSL_get_all_async_fds(pair.server, &fd, &count));
    return fd;
}

/* Resumes whatever can go on, until all handshakes are done. */
static void serve(struct pair *pairs, int count)
{
    struct pollfd *waiting = calloc(count, sizeof(*waiting));
    int done = 0;
    for (int i = 0; i < count; i++) waiting[i] = (struct pollfd){waits_for(pairs[i]), POLLIN, 0};
    while (done < count) {
        CHECK(poll(waiting, count, 60000) > 0);
        for (int i = 0; i < count; i++) {
            if (!waiting[i].revents) continue;
            waiting[i].fd = step(pairs[i]) ? -1 : waits_for(pairs[i]);
            done += waiting[i].fd == -1;
        }
    }
    free(waiting);
}

static int descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder)) count++;
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    OSSL_LIB_CTX *libctx = OSSL_LIB_CTX_new();
    CHECK(argc == 5 && libctx && OSSL_LIB_CTX_load_config(libctx, argv[1]));
    CHECK((servers = SSL_CTX_new_ex(libctx, NULL, TLS_server_method())));
    CHECK((clients = SSL_CTX_new_ex(libctx, NULL, TLS_client_method())));
    CHECK(SSL_CTX_use_PrivateKey_file(servers, argv[2], SSL_FILETYPE_PEM) == 1);
    CHECK(SSL_CTX_use_certificate_file(servers, argv[3], SSL_FILETYPE_PEM) == 1);
    SSL_CTX_set_mode(servers, SSL_MODE_ASYNC);

    int count = atoi(argv[4]);
    struct pair *pairs = calloc(count, sizeof(*pairs));
    for (int i = 0; i < count; i++) {
        pairs[i] = connected();
        CHECK(step(pairs[i]) == 0);
    }
    serve(pairs, count);
    for (int i = 0; i < count; i++) {
        waits_for(pairs[i]); /* HAProxy asks once more before it frees a connection, and forgets no other descriptor */
        drop(pairs[i]);
    }

    int before = descriptors();
    struct pair abandoned = connected();
    CHECK(step(abandoned) == 0);
    drop(abandoned);
    CHECK(descriptors() == before - 1); /* it had taken a kept connection */
    return 0;
}
