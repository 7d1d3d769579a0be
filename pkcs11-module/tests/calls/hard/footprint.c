/* Loads and uses the module, and prints how much memory of its own the process has then more than before, in KiB.
 *
 * usage: footprint MODULE */
#include "use.h"

static long private_dirty(void) {
    FILE *rollup = fopen("/proc/self/smaps_rollup", "r");
    long kib = -1;
    char line[256];
    CHECK(rollup);
    while (fgets(line, sizeof line, rollup)) sscanf(line, "Private_Dirty: %ld", &kib);
    CHECK(fclose(rollup) == 0 && kib > 0);
    return kib;
}

int main(int count, char **arguments) {
    CHECK(count == 2);
    private_dirty();
    long before = private_dirty();
    void *module;
    CK_FUNCTION_LIST *p11 = load(arguments[1], &module);
    CHECK(p11->C_Initialize(NULL) == CKR_OK);
    CHECK(sign(p11) == CKR_OK);
    printf("%ld\n", private_dirty() - before);
    return 0;
}
