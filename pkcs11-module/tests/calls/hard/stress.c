/* Eight threads open, find, sign and close: first alone, then while the process forks, then while the module is finalised and initialised
 * again and again. Made to be run with a sanitizer.
 *
 * usage: stress MODULE TIMES */
#include "use.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8 };

static CK_FUNCTION_LIST *p11;
static atomic_int may_be_finalised, stop, rounds;

static void *client(void *times) {
    for (int i = 0; times ? i < *(int *)times : !stop; i++) {
        CK_RV code = sign(p11);
        if (!may_be_finalised) CHECK(code == CKR_OK);
        CHECK(code == CKR_OK || code == CKR_CRYPTOKI_NOT_INITIALIZED || code == CKR_SESSION_HANDLE_INVALID ||
              code == CKR_KEY_HANDLE_INVALID || code == CKR_OPERATION_NOT_INITIALIZED);
        rounds++;
    }
    return NULL;
}

static void start(pthread_t *threads, int *times) {
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, client, times) == 0);
}

static void join(pthread_t *threads) {
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

static void fork_once(void) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        CHECK(p11->C_Initialize(NULL) == CKR_OK && sign(p11) == CKR_OK && p11->C_Finalize(NULL) == CKR_OK);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(int count, char **arguments) {
    CHECK(count == 3);
    int times = atoi(arguments[2]);
    pthread_t threads[THREADS];
    void *module;
    p11 = load(arguments[1], &module);
    CHECK(p11->C_Initialize(NULL) == CKR_OK);
    start(threads, &times);
    join(threads);

    start(threads, NULL);
    for (int i = 0; i < 20; i++) fork_once();
    stop = 1;
    join(threads);

    stop = 0;
    may_be_finalised = 1;
    start(threads, NULL);
    for (int i = 0; i < times; i++) CHECK(p11->C_Finalize(NULL) == CKR_OK && p11->C_Initialize(NULL) == CKR_OK);
    stop = 1;
    join(threads);
    CHECK(p11->C_Finalize(NULL) == CKR_OK && dlclose(module) == 0);
    printf("%d rounds\n", rounds);
    return 0;
}
