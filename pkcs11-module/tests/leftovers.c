/* Encrypts and decrypts what comes from standard input, and wipes its own copies: what the heap holds then, the module has left.
 * usage: leftovers MODULE; writes a byte when it is done, and ends with its standard input. */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEN 100000
#define PIN 64
#define KEY 32

static unsigned char secret[LEN], encrypted[LEN + 16], decrypted[LEN + 16];

static void check(int right) {
  if (!right)
    abort();
}

int main(int argc, char **argv) {
  check(argc == 2);
  for (size_t done = 0; done < LEN;) {
    ssize_t got = read(0, secret + done, LEN - done);
    check(got > 0);
    done += got;
  }
  void *module = dlopen(argv[1], RTLD_NOW);
  check(module != NULL);
  CK_C_GetFunctionList list = (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
  CK_FUNCTION_LIST *f;
  check(list(&f) == CKR_OK && f->C_Initialize(NULL) == CKR_OK);
  CK_SESSION_HANDLE session;
  check(f->C_OpenSession(1, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session) == CKR_OK);
  check(f->C_Login(session, CKU_USER, secret, PIN) == CKR_OK);

  CK_OBJECT_CLASS class = CKO_SECRET_KEY;
  CK_KEY_TYPE type = CKK_AES;
  CK_BBOOL yes = CK_TRUE;
  CK_ATTRIBUTE template[] = {
      {CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}, {CKA_VALUE, secret + PIN, KEY},
      {CKA_ENCRYPT, &yes, sizeof yes},   {CKA_DECRYPT, &yes, sizeof yes},
  };
  CK_OBJECT_HANDLE key;
  check(f->C_CreateObject(session, template, sizeof template / sizeof *template, &key) == CKR_OK);
  unsigned char iv[16] = {0};
  CK_MECHANISM cbc = {CKM_AES_CBC_PAD, iv, sizeof iv};
  CK_ULONG encrypted_len = sizeof encrypted, decrypted_len = sizeof decrypted;
  check(f->C_EncryptInit(session, &cbc, key) == CKR_OK);
  check(f->C_Encrypt(session, secret, LEN, encrypted, &encrypted_len) == CKR_OK);
  check(f->C_DecryptInit(session, &cbc, key) == CKR_OK);
  check(f->C_Decrypt(session, encrypted, encrypted_len, decrypted, &decrypted_len) == CKR_OK);
  check(decrypted_len == LEN && memcmp(decrypted, secret, LEN) == 0);
  explicit_bzero(secret, sizeof secret);
  explicit_bzero(decrypted, sizeof decrypted);
  check(write(1, "!", 1) == 1);
  check(read(0, secret, 1) == 0);
  return 0;
}
