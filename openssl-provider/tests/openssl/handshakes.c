/* Usage: handshakes openssl.cnf key.pem certificate GROUP COUNT. So many handshakes of TLS 1.3 in this process, which is both ends, with the
 * ephemeral keys of one group; and as many keys that are made for nothing. Ends with 0 when all is right. */
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void handshake(SSL_CTX *server_ctx, SSL_CTX *client_ctx, int id)
{
    BIO *one, *other;
    SSL *server = SSL_new(server_ctx), *client = SSL_new(client_ctx);
    EVP_PKEY *ephemeral = NULL;
    CHECK(BIO_new_bio_pair(&one, 0, &other, 0) == 1);
    SSL_set_bio(server, one, one);
    SSL_set_bio(client, other, other);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    for (int turn = 0; turn < 10 && (!SSL_is_init_finished(server) || !SSL_is_init_finished(client)); turn++) {
        SSL_do_handshake(client);
        SSL_do_handshake(server);
    }
    CHECK(SSL_is_init_finished(server) && SSL_is_init_finished(client));
    CHECK(SSL_get_shared_group(server, 0) == id);
    CHECK(SSL_get_tmp_key(client, &ephemeral) == 1);
    CHECK(strcmp(OSSL_PROVIDER_get0_name(EVP_PKEY_get0_provider(ephemeral)), "parsec") == 0);
    EVP_PKEY_free(ephemeral);
    SSL_free(server);
    SSL_free(client);
}

/* A key that nobody agrees with, though its public half is told to another provider, as that of a hybrid key is. */
static void forgotten(const char *group)
{
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = strcmp(group, "X25519") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "X25519") : EVP_PKEY_Q_keygen(NULL, NULL, "EC", group);
    CHECK(key != NULL && EVP_PKEY_get_bits(key) > 200);
    CHECK(EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &params) == 1 && OSSL_PARAM_locate(params, "pub") != NULL);
    OSSL_PARAM_free(params);
    EVP_PKEY_free(key);
}

int main(int argc, char **argv)
{
    CHECK(argc == 6 && OSSL_LIB_CTX_load_config(NULL, argv[1]) == 1);
    SSL_CTX *server = SSL_CTX_new(TLS_server_method()), *client = SSL_CTX_new(TLS_client_method());
    CHECK(SSL_CTX_use_certificate_file(server, argv[3], SSL_FILETYPE_PEM) == 1);
    CHECK(SSL_CTX_use_PrivateKey_file(server, argv[2], SSL_FILETYPE_PEM) == 1);
    CHECK(SSL_CTX_set1_groups_list(server, argv[4]) == 1 && SSL_CTX_set1_groups_list(client, argv[4]) == 1);
    SSL_CTX_set_num_tickets(server, 0);
    SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_OFF);
    for (int i = 0; i < atoi(argv[5]); i++) {
        handshake(server, client, strcmp(argv[4], "X25519") == 0 ? NID_X25519 : NID_X9_62_prime256v1);
        forgotten(argv[4]);
    }
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    return 0;
}
