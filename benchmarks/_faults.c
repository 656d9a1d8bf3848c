/* Faults of a disk, and sudden death, at a chosen call of the system library.
 *
 * Loaded before libc (LD_PRELOAD). Calls that concern files below PCCS_FAULTS_ROOT are counted in a page
 * of memory that is shared through the file PCCS_FAULTS; at the chosen one of them the process dies, or the
 * call fails, writes half of what it should, or takes long. benchmarks/_faults.py has the other side.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NOTHING, KILL, KILL_GROUP, TEAR, FAIL, SHORT, SLOW };
enum { OPEN = 1, WRITE = 2, FSYNC = 4, RENAME = 8, LINK = 16, UNLINK = 32, MKDIR = 64, TRUNCATE = 128, CLOSE = 256 };

struct control {            /* eight bytes each, in this order: see _faults.Control */
    int64_t armed;          /* 0: every call goes through uncounted */
    int64_t process;        /* only this one; 0: any */
    int64_t kinds;          /* which kinds of calls count */
    int64_t seen;           /* calls counted so far */
    int64_t at;             /* the first call that meets the fault, from 1; 0: none */
    int64_t last;           /* the last one; -1: all from there on */
    int64_t action, error, micros;
    int64_t hits, kind;     /* how often the fault happened, and to which kind of call */
    int64_t when;           /* nanoseconds of the monotonic clock at the hit */
    int64_t inside;         /* set by the program while it saves */
    int64_t struck_inside;  /* whether it did at the first hit */
};

static struct control *control;
static const char *root;
static size_t root_length;
static unsigned char ours[65536]; /* 1: a descriptor of a file below root, 2: one opened for writing */

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("PCCS_FAULTS");
    root = getenv("PCCS_FAULTS_ROOT");
    if (path == NULL || root == NULL) return;
    root_length = strlen(root);
    int file = REAL(open64)(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    REAL(close)(file);
    if (page != MAP_FAILED) control = page;
}

static int below(const char *path) {
    if (control == NULL || path == NULL || strncmp(path, root, root_length) != 0) return 0;
    return path[root_length] == '/' || path[root_length] == '\0';
}

static unsigned char state(int file) { return file >= 0 && file < 65536 ? ours[file] : 0; }

/* What is to be done with this call; 0 for nothing. Deaths happen here. */
static int fate(int kind) {
    if (control == NULL || !control->armed || !(control->kinds & kind)) return NOTHING;
    if (control->process && control->process != getpid()) return NOTHING;
    int64_t number = __atomic_add_fetch(&control->seen, 1, __ATOMIC_SEQ_CST);
    if (!control->at || number < control->at || (control->last >= 0 && number > control->last)) return NOTHING;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    control->when = now.tv_sec * 1000000000LL + now.tv_nsec;
    control->kind = kind;
    if (__atomic_add_fetch(&control->hits, 1, __ATOMIC_SEQ_CST) == 1) control->struck_inside = control->inside;
    switch (control->action) {
        case KILL: kill(getpid(), SIGKILL); for (;;) pause();
        case KILL_GROUP: kill(0, SIGKILL); for (;;) pause();
        case TEAR:
            if (kind != WRITE) { kill(getpid(), SIGKILL); for (;;) pause(); }
            return TEAR;
        case SLOW: usleep(control->micros); return NOTHING;
        default: return control->action;
    }
}

#define MEET(kind)                                        \
    switch (fate(kind)) {                                 \
        case FAIL: errno = (int)control->error; return -1; \
        default: break;                                   \
    }

static int opened(const char *path, int flags, int file) {
    if (file >= 0 && file < 65536) ours[file] = below(path) ? ((flags & O_ACCMODE) == O_RDONLY ? 1 : 2) : 0;
    return file;
}

#define OPENER(name)                                                                   \
    int name(const char *path, int flags, ...) {                                       \
        va_list more;                                                                  \
        va_start(more, flags);                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;        \
        va_end(more);                                                                  \
        if (below(path)) MEET(OPEN)                                                    \
        return opened(path, flags, REAL(name)(path, flags, mode));                     \
    }
OPENER(open)
OPENER(open64)

#define OPENER_AT(name)                                                                \
    int name(int folder, const char *path, int flags, ...) {                           \
        va_list more;                                                                  \
        va_start(more, flags);                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;        \
        va_end(more);                                                                  \
        if (below(path)) MEET(OPEN)                                                    \
        return opened(path, flags, REAL(name)(folder, path, flags, mode));             \
    }
OPENER_AT(openat)
OPENER_AT(openat64)

int close(int file) {
    unsigned char was = state(file);
    if (was) ours[file] = 0;
    int fatal = was == 2 ? fate(CLOSE) : NOTHING;
    int result = REAL(close)(file);
    if (fatal == FAIL) { errno = (int)control->error; return -1; }
    return result;
}

static size_t half(size_t length) { return length > 1 ? length / 2 : length; }

ssize_t write(int file, const void *bytes, size_t length) {
    if (!state(file)) return REAL(write)(file, bytes, length);
    switch (fate(WRITE)) {
        case FAIL: errno = (int)control->error; return -1;
        case SHORT: return REAL(write)(file, bytes, half(length));
        case TEAR: REAL(write)(file, bytes, half(length)); kill(getpid(), SIGKILL); for (;;) pause();
        default: return REAL(write)(file, bytes, length);
    }
}

#define WRITER_AT(name, offset_type)                                                    \
    ssize_t name(int file, const void *bytes, size_t length, offset_type offset) {      \
        if (!state(file)) return REAL(name)(file, bytes, length, offset);               \
        switch (fate(WRITE)) {                                                          \
            case FAIL: errno = (int)control->error; return -1;                          \
            case SHORT: return REAL(name)(file, bytes, half(length), offset);           \
            case TEAR:                                                                  \
                REAL(name)(file, bytes, half(length), offset);                          \
                kill(getpid(), SIGKILL);                                                \
                for (;;) pause();                                                       \
            default: return REAL(name)(file, bytes, length, offset);                    \
        }                                                                               \
    }
WRITER_AT(pwrite, off_t)
WRITER_AT(pwrite64, off64_t)

#define ON_FILE(name, kind, declared, given)     \
    int name declared {                          \
        if (state(file)) MEET(kind)              \
        return REAL(name) given;                 \
    }
ON_FILE(fsync, FSYNC, (int file), (file))
ON_FILE(fdatasync, FSYNC, (int file), (file))
ON_FILE(ftruncate, TRUNCATE, (int file, off_t size), (file, size))
ON_FILE(ftruncate64, TRUNCATE, (int file, off64_t size), (file, size))

#define ON_PATH(name, kind, declared, given)     \
    int name declared {                          \
        if (below(path)) MEET(kind)              \
        return REAL(name) given;                 \
    }
ON_PATH(rename, RENAME, (const char *from, const char *path), (from, path))
ON_PATH(renameat, RENAME, (int a, const char *from, int b, const char *path), (a, from, b, path))
ON_PATH(link, LINK, (const char *from, const char *path), (from, path))
ON_PATH(linkat, LINK, (int a, const char *from, int b, const char *path, int f), (a, from, b, path, f))
ON_PATH(symlink, LINK, (const char *from, const char *path), (from, path))
ON_PATH(unlink, UNLINK, (const char *path), (path))
ON_PATH(unlinkat, UNLINK, (int folder, const char *path, int flags), (folder, path, flags))
ON_PATH(remove, UNLINK, (const char *path), (path))
ON_PATH(rmdir, UNLINK, (const char *path), (path))
ON_PATH(mkdir, MKDIR, (const char *path, mode_t mode), (path, mode))
ON_PATH(mkdirat, MKDIR, (int folder, const char *path, mode_t mode), (folder, path, mode))
