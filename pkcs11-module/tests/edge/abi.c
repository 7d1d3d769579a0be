/* Compiled against one of the published headers, whose compiler then says whether facts.h (what the Rust side believes of structures,
 * constants and the order of functions) is true of it; run, it calls each function of one list through the header's own structure, and
 * prints the name under which the header has it. Beside it, before or after it, it loads a module that exports the same names to all;
 * each function, from the list and by its name, has to be our module's all the same, and those of the other's list the other's.
 *
 * usage: abi MODULE FLAGS OTHER-MODULE before|after  (-D HEADER=<pkcs11.h> LIST=CK_FUNCTION_LIST_3_0 FUNCTIONS=V3_0 MAJOR=3 MINOR=0) */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include HEADER
#include "facts.h"

/* As many arguments as the longest function has: more than a function takes do no harm in the C calling conventions of our platforms. */
typedef CK_RV (*Function)(CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG);

static const LIST *list_of(void *module, CK_FLAGS flags) {
#if MAJOR == 2
    (void)flags;
    CK_C_GetFunctionList get = (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
    LIST *list = NULL;
    return get(&list) == CKR_OK ? list : NULL;
#else
    CK_C_GetInterface get = (CK_C_GetInterface)dlsym(module, "C_GetInterface");
    CK_VERSION version = {MAJOR, MINOR};
    CK_INTERFACE *interface = NULL;
    return get((CK_UTF8CHAR *)"PKCS 11", &version, &interface, flags) == CKR_OK ? interface->pFunctionList : NULL;
#endif
}

static int lies_in(Function function, const char *module) {
    Dl_info info;
    return dladdr((void *)function, &info) && strcmp(info.dli_fname, module) == 0;
}

/* Whether another module's list, if it has one, is of its own functions. */
static int keeps_its_own(void *other, const char *path) {
    CK_C_GetFunctionList get = (CK_C_GetFunctionList)dlsym(other, "C_GetFunctionList");
    CK_FUNCTION_LIST *list = NULL;
    if (!get || !lies_in((Function)get, path)) return 0;
    if (get(&list) != CKR_OK) return 1;
#define OWN(name) \
    if (!lies_in((Function)list->name, path)) return 0;
    V2_40(OWN)
    return 1;
}

int main(int count, char **arguments) {
    if (count != 5) return 1;
    int before = strcmp(arguments[4], "before") == 0;
    void *other = before ? dlopen(arguments[3], RTLD_NOW | RTLD_GLOBAL) : NULL;
    void *module = dlopen(arguments[1], before ? RTLD_NOW : RTLD_LAZY);
    if (!before) other = dlopen(arguments[3], RTLD_NOW | RTLD_GLOBAL);
    if (!other || !keeps_its_own(other, arguments[3])) return 4;
    const LIST *list = module ? list_of(module, strtoul(arguments[2], NULL, 0)) : NULL;
    if (!list || list->version.major != MAJOR || list->version.minor != MINOR) return 1;
#define CALL(name) \
    if (!list->name) return 2; \
    if (!lies_in((Function)list->name, arguments[1]) || !lies_in((Function)dlsym(module, #name), arguments[1])) return 3; \
    printf("%s %lu\n", #name, ((Function)list->name)(0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    FUNCTIONS(CALL)
    return 0;
}
