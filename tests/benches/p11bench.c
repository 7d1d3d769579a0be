/* Signatures per second and their latency, through any PKCS#11 module.
 *
 * usage: p11bench MODULE TOKEN PIN KEY ecdsa|rsa|find SECONDS PROCESSES THREADS [open|PAUSE]
 *
 * Every thread opens one session and signs a fixed digest again and again; with "open" each signature has a session,
 * a login and a search of its own, as in programs that keep nothing; with a number it rests so many seconds after each.
 * With "find" it is searches for the CKA_ID that KEY is, in the place of signatures. TOKEN and PIN may be empty: the first
 * token, no login. In KEY, %d becomes the number of the process, from 0 on.
 * Prints one line: ops_per_s= p50_us= p99_us= max_us= errors=
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CAPACITY = 1 << 20, MAX_THREADS = 256 };

struct samples {
    unsigned count, errors;
    float us[CAPACITY];
};

static CK_FUNCTION_LIST *p11;
static CK_SLOT_ID slot;
static const char *pin, *label;
static int rsa, only_find, open_each_time;
static double seconds, pause_s;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static CK_RV find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *key) {
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class}, {only_find ? CKA_ID : CKA_LABEL, (void *)label, strlen(label)}};
    CK_ULONG found = 0;
    CK_RV rv = p11->C_FindObjectsInit(session, wanted, 2);
    if (rv) return rv;
    rv = p11->C_FindObjects(session, key, 1, &found);
    p11->C_FindObjectsFinal(session);
    return rv ? rv : found == 1 ? CKR_OK : CKR_KEY_HANDLE_INVALID;
}

static CK_RV prepare(CK_SESSION_HANDLE *session, CK_OBJECT_HANDLE *key) {
    CK_RV rv = p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, session);
    if (!rv && *pin) {
        rv = p11->C_Login(*session, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin));
        if (rv == CKR_USER_ALREADY_LOGGED_IN) rv = CKR_OK;
    }
    return rv ? rv : find(*session, key);
}

static CK_RV sign(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
    static const unsigned char prefix[19] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                             0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    unsigned char digest_info[51], signature[1024];
    CK_ULONG length = sizeof signature;
    CK_MECHANISM mechanism = {rsa ? CKM_RSA_PKCS : CKM_ECDSA, NULL, 0};
    memcpy(digest_info, prefix, sizeof prefix);
    memset(digest_info + sizeof prefix, 0x5a, 32);
    CK_RV rv = p11->C_SignInit(session, &mechanism, key);
    if (rv) return rv;
    return rsa ? p11->C_Sign(session, digest_info, 51, signature, &length)
               : p11->C_Sign(session, digest_info + sizeof prefix, 32, signature, &length);
}

static void *work(void *argument) {
    struct samples *out = argument;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    CK_RV rv = prepare(&session, &key);
    double start = now(), end = start + seconds;
    while (!rv && start < end && out->count < CAPACITY) {
        if (open_each_time) {
            p11->C_CloseSession(session);
            if ((rv = prepare(&session, &key))) break;
        }
        if ((rv = only_find ? find(session, &key) : sign(session, key))) break;
        double stop = now();
        out->us[out->count++] = (stop - start) * 1e6;
        if (pause_s > 0) usleep(pause_s * 1e6), stop = now();
        start = stop;
    }
    if (rv) {
        fprintf(stderr, "p11bench: 0x%lx\n", rv);
        out->errors++;
    }
    return NULL;
}

static int fail(const char *what) {
    fprintf(stderr, "p11bench: %s\n", what);
    return 2;
}

static int process(const char *module, const char *token, struct samples *out, int threads) {
    void *library = dlopen(module, RTLD_NOW | RTLD_LOCAL);
    if (!library) return fail(dlerror());
    CK_C_GetFunctionList get = (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList");
    CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
    if (!get || get(&p11) || p11->C_Initialize(&arguments)) return fail("the module does not start");

    CK_SLOT_ID slots[64];
    CK_ULONG count = 64, i;
    if (p11->C_GetSlotList(CK_TRUE, slots, &count)) return fail("no slots");
    for (i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        slot = slots[i];
        if (!p11->C_GetTokenInfo(slot, &info) && !strncmp((char *)info.label, token, strlen(token))) break;
    }
    if (i == count) return fail("no such token");

    pthread_t thread[MAX_THREADS];
    for (int t = 0; t < threads; t++) pthread_create(&thread[t], NULL, work, &out[t]);
    for (int t = 0; t < threads; t++) pthread_join(thread[t], NULL);
    p11->C_Finalize(NULL);
    return 0;
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc < 9) return fail("usage: p11bench MODULE TOKEN PIN KEY ecdsa|rsa|find SECONDS PROCESSES THREADS [open|PAUSE]");
    pin = argv[3];
    rsa = !strcmp(argv[5], "rsa");
    only_find = !strcmp(argv[5], "find");
    seconds = atof(argv[6]);
    int processes = atoi(argv[7]), threads = atoi(argv[8]);
    open_each_time = argc > 9 && !strcmp(argv[9], "open");
    pause_s = argc > 9 ? atof(argv[9]) : 0;
    if (processes < 1 || threads < 1 || threads > MAX_THREADS) return fail("too few or too many");

    int workers = processes * threads;
    struct samples *all = mmap(NULL, sizeof *all * workers, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) return fail("no memory");
    for (int p = 0; p < processes; p++) {
        if (fork()) continue;
        char own[256];
        snprintf(own, sizeof own, argv[4], p);
        label = own;
        _exit(process(argv[1], argv[2], all + p * threads, threads));
    }
    int status, bad = 0;
    while (wait(&status) > 0) bad |= status;

    size_t count = 0, errors = 0, at = 0;
    for (int w = 0; w < workers; w++) count += all[w].count, errors += all[w].errors;
    float *us = malloc(sizeof *us * (count + 1));
    if (!us) return fail("no memory");
    us[count] = 0;
    for (int w = 0; w < workers; w++) {
        memcpy(us + at, all[w].us, sizeof *us * all[w].count);
        at += all[w].count;
    }
    qsort(us, count, sizeof *us, ascending);
    printf("ops_per_s=%.1f p50_us=%.1f p99_us=%.1f max_us=%.1f errors=%zu\n", count / seconds, us[count / 2], us[count * 99 / 100],
           us[count ? count - 1 : 0], errors);
    return bad || errors || !count;
}
