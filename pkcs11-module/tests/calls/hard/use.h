/* What the C programs of these tests have in common: to load the module, and to sign with an EC key. */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(what) \
    do { \
        if (!(what)) { \
            fprintf(stderr, "line %d: %s\n", __LINE__, #what); \
            _Exit(1); \
        } \
    } while (0)

static CK_FUNCTION_LIST *load(const char *path, void **module) {
    CK_FUNCTION_LIST *list = NULL;
    *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!*module) fprintf(stderr, "%s\n", dlerror());
    CHECK(*module);
    CK_C_GetFunctionList get = (CK_C_GetFunctionList)dlsym(*module, "C_GetFunctionList");
    CHECK(get && get(&list) == CKR_OK);
    return list;
}

/* The first return code other than CKR_OK, or that. */
static CK_RV sign(CK_FUNCTION_LIST *p11) {
    CK_SLOT_ID slot;
    CK_ULONG one = 1, length = 64;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key = 0;
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE type = CKK_EC;
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}};
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_BYTE digest[32] = {7}, signature[64];
    CK_RV code;
    if ((code = p11->C_GetSlotList(CK_TRUE, &slot, &one))) return code;
    if ((code = p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session))) return code;
    if ((code = p11->C_FindObjectsInit(session, template, 2))) return code;
    if ((code = p11->C_FindObjects(session, &key, 1, &one))) return code;
    if ((code = p11->C_FindObjectsFinal(session))) return code;
    if ((code = p11->C_SignInit(session, &mechanism, key))) return code;
    if ((code = p11->C_Sign(session, digest, sizeof digest, signature, &length))) return code;
    return p11->C_CloseSession(session);
}
