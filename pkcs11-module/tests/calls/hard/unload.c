/* Loads, uses and unloads the module again and again, from threads that end afterwards, and finalises it when the process exits. The C
 * library asks this program to register what a thread has to destroy at its end: the module must never have anything.
 *
 * usage: unload MODULE TIMES */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what) \
    do { \
        if (!(what)) { \
            fprintf(stderr, "line %d: %s\n", __LINE__, #what); \
            exit(1); \
        } \
    } while (0)

static const char *path;
static int destructors;

int __cxa_thread_atexit_impl(void (*destroy)(void *), void *what, void *library) {
    (void)destroy, (void)what, (void)library;
    destructors++;
    return 0;
}

static CK_FUNCTION_LIST *load(void **module) {
    CK_FUNCTION_LIST *list = NULL;
    CHECK(*module = dlopen(path, RTLD_NOW | RTLD_LOCAL));
    CK_C_GetFunctionList get = (CK_C_GetFunctionList)dlsym(*module, "C_GetFunctionList");
    CHECK(get && get(&list) == CKR_OK);
    return list;
}

static void sign(CK_FUNCTION_LIST *p11) {
    CK_SLOT_ID slot;
    CK_ULONG one = 1, length = 64;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE template = {CKA_CLASS, &class, sizeof class};
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_BYTE digest[32] = {7}, signature[64];
    CHECK(p11->C_GetSlotList(CK_TRUE, &slot, &one) == CKR_OK && one == 1);
    CHECK(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session) == CKR_OK);
    CHECK(p11->C_FindObjectsInit(session, &template, 1) == CKR_OK);
    CHECK(p11->C_FindObjects(session, &key, 1, &one) == CKR_OK && one == 1);
    CHECK(p11->C_FindObjectsFinal(session) == CKR_OK);
    CHECK(p11->C_SignInit(session, &mechanism, key) == CKR_OK);
    CHECK(p11->C_Sign(session, digest, sizeof digest, signature, &length) == CKR_OK && length == 64);
    CHECK(p11->C_CloseSession(session) == CKR_OK);
}

static void *use(void *count) {
    void *module;
    CK_FUNCTION_LIST *p11 = load(&module);
    CHECK(p11->C_Initialize(NULL) == CKR_OK);
    if (*(int *)count % 10 == 0) sign(p11);
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
    left_open = load(&module);
    CHECK(left_open->C_Initialize(NULL) == CKR_OK);
    sign(left_open);
    atexit(at_exit);
    return 0;
}
