/* Usage: walk openssl.cnf ours.pem uri theirs.key. Prints a line for each answer that differs, "family asked: ours | theirs", and ends with
 * 0. The cases are in walk_keys.h, walk_contexts.h and walk_files.h. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "check.h"
#include "walk.h"

OSSL_LIB_CTX *libctx;
EVP_PKEY *theirs, *peer;

static BIO *told;

void tell(const char *asked, const char *format, ...)
{
    char line[8192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    /* a line of text, whatever was taken for text */
    for (char *at = line; *at != 0; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
    BIO_printf(told, "%s: %s\n", asked, line);
    ERR_clear_error();
}

void tell_bytes(const char *asked, int result, const unsigned char *bytes, size_t len)
{
    char *text = result > 0 && len > 0 ? OPENSSL_buf2hexstr(bytes, (long)len) : NULL;
    tell(asked, "%d %s", result > 0, text ? text : "");
    OPENSSL_free(text);
}

static int by_name(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

void tell_names(const char *asked, const OSSL_PARAM *params)
{
    const char *names[64];
    char text[2048] = "";
    size_t count = 0;
    for (; params != NULL && params->key != NULL; params++)
        names[count++] = params->key;
    qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 0; i < count; i++)
        strcat(strcat(text, names[i]), " ");
    tell(asked, "%s", text);
}

#include "walk_keys.h"
#include "walk_contexts.h"
#include "walk_files.h"

/* The answers of a case, one a line. */
static char *answers(const struct family *family, const struct subject *subject)
{
    char *text;
    told = BIO_new(BIO_s_mem());
    ERR_clear_error();
    family->run(subject);
    BIO_write(told, "", 1);
    BIO_get_mem_data(told, &text);
    text = strdup(text);
    BIO_free(told);
    return text;
}

static void compare(const struct family *family, const struct subject *ours, const struct subject *others)
{
    char *one = answers(family, ours), *other = answers(family, others), *rest[2];
    char *line = strtok_r(one, "\n", &rest[0]), *same = strtok_r(other, "\n", &rest[1]);
    for (; line != NULL && same != NULL; line = strtok_r(NULL, "\n", &rest[0]), same = strtok_r(NULL, "\n", &rest[1]))
        if (strcmp(line, same) != 0)
            printf("%s %s | %s\n", family->name, line, same + strcspn(same, ":") + 2);
    if (line != NULL || same != NULL)
        printf("%s tells more of one key than of the other\n", family->name);
    free(one);
    free(other);
}

int main(int argc, char **argv)
{
    const struct family *const all[] = { keys, contexts, files };
    struct subject ours = { NULL, "provider=parsec", argv[2], argv[3] };
    struct subject others = { NULL, "provider=default", argv[4], argv[4] };
    CHECK(argc == 5);
    libctx = OSSL_LIB_CTX_new();
    CHECK(OSSL_LIB_CTX_load_config(libctx, argv[1]) == 1);
    BIO *bio = BIO_new_file(ours.file, "r");
    CHECK((ours.key = PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, libctx, NULL)) != NULL);
    BIO_free(bio);
    bio = BIO_new_file(others.file, "r");
    CHECK((others.key = theirs = PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, NULL, libctx, NULL)) != NULL);
    BIO_free(bio);
    unsigned char *spki = NULL;
    int len = i2d_PUBKEY(theirs, &spki);
    const unsigned char *at = spki;
    CHECK((peer = d2i_PUBKEY_ex(NULL, &at, len, libctx, "provider=default")) != NULL);
    OPENSSL_free(spki);
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        for (const struct family *family = all[i]; family->name != NULL; family++)
            compare(family, &ours, &others);
    EVP_PKEY_free(ours.key);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(peer);
    OSSL_LIB_CTX_free(libctx);
    return 0;
}
