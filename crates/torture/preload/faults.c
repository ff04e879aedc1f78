/* Faults of the disk and of the clock, for a server that does not know of them.
 *
 * Preloaded, this stands before the C library's calls. What it does is said in a file that the harness
 * writes and both map: named by TORTURE_CONTROL, a row of 64-bit numbers, see `struct control` and its
 * twin in src/control.rs. Without that variable, or with all numbers zero, it only passes calls on.
 *
 * Events are counted per part of the data directory: writes and syncs of files below data/log or
 * data/store, told by the path behind the descriptor.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PART_SEGMENTS = 1, PART_STORE = 2, PART_NOTE = 4 };
enum { EVENT_WRITE = 1, EVENT_SYNC = 2 };
enum { KILL_BEFORE = 1, KILL_AFTER = 2, KILL_HALFWAY = 3, FAIL = 4, SHORT = 5 };

struct control {
    uint64_t part;    /* of which parts of the data directory, added up */
    uint64_t event;   /* which events are counted */
    uint64_t first;   /* from this event on, counted from 1; 0: none */
    uint64_t last;    /* up to this one */
    uint64_t action;  /* what is done to them */
    uint64_t seen;    /* events so far; written here */
    uint64_t bites;   /* how often something was done; written here */
    int64_t clock_ms; /* added to the wall clock */
    uint64_t limited; /* whether space is limited */
    uint64_t space;   /* bytes that files may still grow */
};

static struct control *control;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("TORTURE_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *at = mmap(0, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) control = at;
    close(fd);
}

static uint64_t load(uint64_t *at) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }

/* Which part of the data directory a descriptor belongs to; 0: none. */
static uint64_t part_of(int fd) {
    char link[32] = "/proc/self/fd/", path[4096], digits[12];
    int length = 0;
    do digits[length++] = '0' + fd % 10; while (fd /= 10);
    char *end = link + strlen(link);
    while (length) *end++ = digits[--length];
    *end = 0;
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    if (strstr(path, "/data/log/acked")) return PART_NOTE;
    if (strstr(path, "/data/log")) return PART_SEGMENTS;
    if (strstr(path, "/data/store")) return PART_STORE;
    return 0;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* What to do to this event; 0: nothing. */
static uint64_t action(int fd, uint64_t event) {
    if (!control || fd < 3 || load(&control->event) != event || !load(&control->part)) return 0;
    int kept = errno;
    uint64_t part = part_of(fd);
    errno = kept;
    if (!(part & load(&control->part))) return 0;
    uint64_t number = __atomic_add_fetch(&control->seen, 1, __ATOMIC_SEQ_CST);
    uint64_t first = load(&control->first);
    if (!first || number < first || number > load(&control->last)) return 0;
    __atomic_add_fetch(&control->bites, 1, __ATOMIC_SEQ_CST);
    uint64_t what = load(&control->action);
    if (what == KILL_BEFORE) die();
    return what;
}

/* Whether a write up to `end` finds no space. */
static int is_full(int fd, off64_t end) {
    if (!control || fd < 3 || !load(&control->limited)) return 0;
    int kept = errno;
    struct stat64 now;
    int grows = part_of(fd) && !fstat64(fd, &now) && S_ISREG(now.st_mode) && end > now.st_size;
    errno = kept;
    if (!grows) return 0;
    uint64_t more = end - now.st_size, space = load(&control->space);
    if (more <= space) {
        __atomic_sub_fetch(&control->space, more, __ATOMIC_SEQ_CST);
        return 0;
    }
    __atomic_add_fetch(&control->bites, 1, __ATOMIC_SEQ_CST);
    errno = ENOSPC;
    return 1;
}

/* Bytes that a write may write, by what is done to it; -1: it fails. */
static ssize_t allowed(uint64_t what, size_t size) {
    if (what == FAIL) {
        errno = EIO;
        return -1;
    }
    return what == SHORT || what == KILL_HALFWAY ? (ssize_t)(size / 2) : (ssize_t)size;
}

static ssize_t after(uint64_t what, ssize_t result) {
    if (what == KILL_AFTER || what == KILL_HALFWAY) die();
    return result;
}

ssize_t write(int fd, const void *bytes, size_t size) {
    if (!control) return real_write(fd, bytes, size);
    off64_t at = load(&control->limited) ? lseek64(fd, 0, SEEK_CUR) : -1;
    if (at >= 0 && is_full(fd, at + (off64_t)size)) return -1;
    uint64_t what = action(fd, EVENT_WRITE);
    ssize_t some = allowed(what, size);
    return some < 0 ? -1 : after(what, real_write(fd, bytes, some));
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    if (is_full(fd, at + (off64_t)size)) return -1;
    uint64_t what = action(fd, EVENT_WRITE);
    ssize_t some = allowed(what, size);
    return some < 0 ? -1 : after(what, real_pwrite(fd, bytes, some, at));
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    return pwrite64(fd, bytes, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    /* One part at a time is a legal answer, and leaves one way to count. */
    if (control && count > 0 && fd >= 3 && part_of(fd)) {
        return write(fd, parts[0].iov_base, parts[0].iov_len);
    }
    return real_writev(fd, parts, count);
}

static int synced(int fd, int (*real)(int)) {
    uint64_t what = action(fd, EVENT_SYNC);
    if (what == FAIL) {
        errno = EIO;
        return -1;
    }
    return (int)after(what, real(fd));
}

int fsync(int fd) { return synced(fd, real_fsync); }

int fdatasync(int fd) { return synced(fd, real_fdatasync); }

int clock_gettime(clockid_t clock, struct timespec *at) {
    int result = real_clock_gettime(clock, at);
    if (result == 0 && clock == CLOCK_REALTIME && control) {
        int64_t ms = __atomic_load_n(&control->clock_ms, __ATOMIC_SEQ_CST);
        at->tv_sec += ms / 1000;
        at->tv_nsec += ms % 1000 * 1000000;
        if (at->tv_nsec < 0) at->tv_nsec += 1000000000, at->tv_sec--;
        if (at->tv_nsec >= 1000000000) at->tv_nsec -= 1000000000, at->tv_sec++;
    }
    return result;
}
