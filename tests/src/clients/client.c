/* A program that uses keys as programs do: mostly it signs and searches; now and then it makes a key, or destroys one. At SIGTERM it looks
 * whether it still has all that it should, and ends.
 *
 * usage: client MODULE NAME       prints, a line each: made LABEL, destroyed LABEL; after a failed call unmade LABEL, undestroyed LABEL;
 *                                 missing LABEL, for what a search does not find; at the end held LABEL, lost LABEL
 *        client MODULE            reads labels; prints for each good LABEL, gone LABEL, bad LABEL
 *
 * What fails and why is in the trace of the module. */
#include "../../../pkcs11-module/tests/calls/hard/use.h"
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { KEYS = 4, LABEL = 48 };

struct key {
    char label[LABEL];
    CK_OBJECT_HANDLE handle;
    CK_BBOOL rsa;
};

static CK_FUNCTION_LIST *p11;
static CK_SLOT_ID slot;
static CK_SESSION_HANDLE session;
static struct key keys[KEYS];
static unsigned have, made;
static volatile sig_atomic_t stop;

static void told_to_stop(int number) {
    stop = number;
}

static void tell(const char *what, const char *label) {
    char line[LABEL + 32];
    int length = snprintf(line, sizeof line, "%s %s\n", what, label);
    CHECK(write(1, line, length) == length);
}

static CK_SESSION_HANDLE open_session(void) {
    CK_SESSION_HANDLE opened;
    CHECK(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &opened) == CKR_OK);
    return opened;
}

/* How many objects there are of a class and label, and the first of them; -1 when the search fails. */
static int find(CK_OBJECT_CLASS class, const char *label, CK_OBJECT_HANDLE *found) {
    CK_OBJECT_HANDLE handles[2] = {0};
    CK_ULONG count = 0;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, (void *)label, strlen(label)}};
    if (p11->C_FindObjectsInit(session, wanted, 2)) return -1;
    CK_RV code = p11->C_FindObjects(session, handles, 2, &count);
    if (p11->C_FindObjectsFinal(session) || code) return -1;
    *found = handles[0];
    return count;
}

/* Signs, and where there is a public key, verifies. */
static int works(CK_OBJECT_HANDLE private, CK_OBJECT_HANDLE public, CK_BBOOL rsa) {
    CK_MECHANISM mechanism = {rsa ? CKM_SHA256_RSA_PKCS : CKM_ECDSA, NULL, 0};
    CK_BYTE digest[32] = {7}, signature[256];
    CK_ULONG length = sizeof signature;
    if (p11->C_SignInit(session, &mechanism, private)) return 0;
    if (p11->C_Sign(session, digest, sizeof digest, signature, &length)) return 0;
    if (!public) return 1;
    return !p11->C_VerifyInit(session, &mechanism, public) && !p11->C_Verify(session, digest, sizeof digest, signature, length);
}

static void make(const char *name) {
    static CK_BYTE p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
    struct key *key = &keys[have];
    CK_BBOOL yes = CK_TRUE;
    CK_ULONG bits = 2048;
    CK_OBJECT_HANDLE half;
    key->rsa = made % 4 == 3;
    snprintf(key->label, LABEL, "%s-%s-%u", name, key->rsa ? "rsa" : "ec", made++);
    CK_MECHANISM mechanism = {key->rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE public[] = {{CKA_TOKEN, &yes, 1}, {CKA_EC_PARAMS, p256, sizeof p256}};
    CK_ATTRIBUTE private[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, key->label, strlen(key->label)}};
    if (key->rsa) public[1] = (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof bits};
    if (p11->C_GenerateKeyPair(session, &mechanism, public, 2, private, 2, &half, &key->handle)) return tell("unmade", key->label);
    tell("made", key->label);
    have++;
    works(key->handle, half, key->rsa);
}

static void destroy(unsigned which) {
    tell(p11->C_DestroyObject(session, keys[which].handle) ? "undestroyed" : "destroyed", keys[which].label);
    keys[which] = keys[--have];
}

static void look_for(struct key *key) {
    CK_OBJECT_HANDLE found = 0;
    int count = find(CKO_PRIVATE_KEY, key->label, &found);
    if (count >= 0 && (count != 1 || found != key->handle)) tell("missing", key->label);
}

/* One thing that a program does. */
static void turn(const char *name, unsigned round) {
    if (have == 0 || (round % 32 == 1 && have < KEYS)) return make(name);
    struct key *key = &keys[rand() % have];
    if (round % 32 == 17 && have == KEYS) return destroy(rand() % have);
    if (round % 32 == 9) {
        CHECK(p11->C_CloseSession(session) == CKR_OK);
        session = open_session();
    } else if (round % 16 == 5) {
        look_for(key);
    } else {
        works(key->handle, 0, key->rsa);
    }
}

static void live(const char *name) {
    struct sigaction action = {.sa_handler = told_to_stop, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGTERM, &action, NULL) == 0);
    srand(getpid());
    for (unsigned round = 0; !stop; round++) turn(name, round);
    for (unsigned i = 0; i < have; i++) {
        CK_OBJECT_HANDLE found = 0;
        int one = find(CKO_PRIVATE_KEY, keys[i].label, &found) == 1;
        tell(one && found == keys[i].handle && works(found, 0, keys[i].rsa) ? "held" : "lost", keys[i].label);
    }
}

static void judge(const char *label) {
    CK_OBJECT_HANDLE private = 0, public = 0;
    int privates = find(CKO_PRIVATE_KEY, label, &private), publics = find(CKO_PUBLIC_KEY, label, &public);
    int good = privates == 1 && publics == 1 && works(private, public, strstr(label, "-rsa-") != NULL);
    tell(privates == 0 && publics == 0 ? "gone" : good ? "good" : "bad", label);
}

int main(int count, char **arguments) {
    CHECK(count == 2 || count == 3);
    void *module;
    CK_ULONG one = 1;
    char label[LABEL];
    p11 = load(arguments[1], &module);
    CHECK(p11->C_Initialize(NULL) == CKR_OK && p11->C_GetSlotList(CK_TRUE, &slot, &one) == CKR_OK);
    session = open_session();
    if (count == 3) live(arguments[2]);
    else while (scanf("%47s", label) == 1) judge(label);
    CHECK(p11->C_Finalize(NULL) == CKR_OK);
    return 0;
}
