/* Kills the program that it is preloaded into at one durable step: a change of a regular file or folder, or a flush of one.
 *
 * The file that FAULT_PLAN names says when: "before 7", "after 7", or "torn 7", which does half of the 7th write; "fail 7" kills
 * nothing and lets the step fail. A third word is one that has to be in the command line of the program. Without that file nothing
 * happens; it is removed when the step is reached.
 *
 * While there is a file with ".unflushed" after that name, no flush succeeds; with ".full" nothing gets room on the disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum { NEVER, BEFORE = 'b', AFTER = 'a', TORN = 't', FAIL = 'f' } mode = NEVER;
static const char *path;
static long chosen;
static atomic_long steps;

/* Whether the word is in the command line of this program. */
static int is_called(const char *word) {
    char line[4096];
    FILE *file = fopen("/proc/self/cmdline", "re");
    size_t length = file ? fread(line, 1, sizeof line, file) : 0;
    if (file)
        fclose(file);
    return *word == 0 || memmem(line, length, word, strlen(word)) != NULL;
}

__attribute__((constructor)) static void read_plan(void) {
    path = getenv("FAULT_PLAN");
    FILE *plan = path ? fopen(path, "re") : NULL;
    char word[8], program[16] = "";
    if (!plan)
        return;
    if (fscanf(plan, "%7s %ld %15s", word, &chosen, program) >= 2 && is_called(program))
        mode = word[0];
    fclose(plan);
}

static int is_now(int counts) {
    if (mode == NEVER || !counts || atomic_fetch_add(&steps, 1) + 1 != chosen)
        return 0;
    syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    return 1;
}

static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

static int is_so(const char *what) {
    char name[4096];
    return path && snprintf(name, sizeof name, "%s.%s", path, what) < (int)sizeof name && syscall(SYS_faccessat, AT_FDCWD, name, F_OK) == 0;
}

static int is_stored(int fd) {
    struct stat about;
    return fd > STDERR_FILENO && fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

/* Whether a file that ends there later needs more room. */
static int lacks_room(int fd, off64_t end) {
    struct stat about;
    return is_stored(fd) && is_so("full") && fstat(fd, &about) == 0 && end > about.st_size;
}

int fallocate(int fd, int mode, off_t at, off_t length) {
    int (*real)(int, int, off_t, off_t) = dlsym(RTLD_NEXT, "fallocate");
    return lacks_room(fd, at + length) ? (errno = ENOSPC, -1) : real(fd, mode, at, length);
}

/* A step that has no half. */
#define STEP(name, parameters, arguments, counts, broken)                      \
    int name parameters {                                                      \
        int(*real) parameters = dlsym(RTLD_NEXT, #name);                       \
        if (broken)                                                            \
            return errno = EIO, -1;                                            \
        int now = is_now(mode != TORN && (counts));                            \
        if (now && mode == FAIL)                                               \
            return errno = EIO, -1;                                            \
        if (now && mode == BEFORE)                                             \
            die();                                                             \
        int result = real arguments;                                           \
        if (now)                                                               \
            die();                                                             \
        return result;                                                         \
    }

STEP(fsync, (int fd), (fd), 1, is_so("unflushed"))
STEP(fdatasync, (int fd), (fd), 1, is_so("unflushed"))
STEP(ftruncate, (int fd, off_t length), (fd, length), is_stored(fd), 0)
STEP(ftruncate64, (int fd, off64_t length), (fd, length), is_stored(fd), 0)
STEP(unlink, (const char *path), (path), 1, 0)
STEP(rename, (const char *from, const char *to), (from, to), 1, 0)
STEP(mkdir, (const char *path, mode_t permissions), (path, permissions), 1, 0)

/* A write that ends there; `half` are the arguments of its first half. */
#define WRITE(name, parameters, arguments, half, end)                          \
    ssize_t name parameters {                                                  \
        ssize_t(*real) parameters = dlsym(RTLD_NEXT, #name);                   \
        if (lacks_room(fd, end))                                               \
            return errno = ENOSPC, -1;                                         \
        int now = is_now(is_stored(fd));                                       \
        if (now && mode == FAIL)                                               \
            return errno = ENOSPC, -1;                                         \
        if (now && mode == TORN)                                               \
            real half;                                                         \
        if (now && mode != AFTER)                                              \
            die();                                                             \
        ssize_t result = real arguments;                                       \
        if (now)                                                               \
            die();                                                             \
        return result;                                                         \
    }

WRITE(write, (int fd, const void *bytes, size_t count), (fd, bytes, count), (fd, bytes, count / 2), lseek(fd, 0, SEEK_CUR) + (off64_t)count)
WRITE(pwrite, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count, at), (fd, bytes, count / 2, at), at + (off64_t)count)
WRITE(pwrite64, (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count, at), (fd, bytes, count / 2, at), at + (off64_t)count)
