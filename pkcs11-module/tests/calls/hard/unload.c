/* Loads, uses and unloads the module again and again, from threads that end afterwards, and finalises it when the process exits. The C
 * library asks this program to register what a thread has to destroy at its end: the module must never have anything.
 *
 * usage: unload MODULE TIMES */
#include "use.h"
#include <pthread.h>

static const char *path;
static int destructors;

int __cxa_thread_atexit_impl(void (*destroy)(void *), void *what, void *library) {
    (void)destroy, (void)what, (void)library;
    destructors++;
    return 0;
}

static void *use(void *count) {
    void *module;
    CK_FUNCTION_LIST *p11 = load(path, &module);
    CHECK(p11->C_Initialize(NULL) == CKR_OK);
    CHECK(*(int *)count % 10 != 0 || sign(p11) == CKR_OK);
    CHECK(p11->C_Finalize(NULL) == CKR_OK);
    CHECK(dlclose(module) == 0);
    return NULL;
}

static CK_FUNCTION_LIST *left_open;

static void at_exit(void) {
    CHECK(left_open->C_Finalize(NULL) == CKR_OK);
    CHECK(destructors == 0);
    puts("finalised at exit");
    fflush(stdout);
}

int main(int count, char **arguments) {
    CHECK(count == 3);
    path = arguments[1];
    for (int i = 0; i < atoi(arguments[2]); i++) {
        pthread_t thread;
        if (i % 2) {
            use(&i);
        } else {
            CHECK(pthread_create(&thread, NULL, use, &i) == 0 && pthread_join(thread, NULL) == 0);
        }
    }
    void *module;
    left_open = load(path, &module);
    CHECK(left_open->C_Initialize(NULL) == CKR_OK);
    CHECK(sign(left_open) == CKR_OK);
    atexit(at_exit);
    return 0;
}
