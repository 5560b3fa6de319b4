/* Failing input and output, SQLite's way: loaded into a program by LD_PRELOAD, it counts the program's calls to the system by
 * class and fails the Nth. Compiled with -DPOWER_CUT it is the program that makes of a folder what a power cut leaves.
 *
 * What it knows and does is in one file, mapped by the program and by the test (`struct control`), so a test arms it at any
 * time. It follows only what is below the folder of FAILING_IO_BELOW (but not where a path contains FAILING_IO_EXCEPT), sockets
 * that lead outward, programs and threads.
 *
 * Beside that it keeps account of what a power cut would take: pages that were written and not synced, names that were made
 * and whose folder was not synced. A sync that was made to fail loses its pages for good, as Linux does: they count as clean
 * from then on, so that a second sync succeeds and keeps nothing of them (https://wiki.postgresql.org/wiki/Fsync_Errors).
 *
 * Children are left alone: what loads this is taken out of the environment at once. Raw system calls (rustix) pass by.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The order is known to harness.rs and failing_io.py. */
enum class { OPEN, READ, WRITE, SYNC, RENAME, UNLINK, MKDIR, TRUNCATE, STAT, LIST, MAP, NET, ACCEPT, SPAWN, THREAD, CLASSES };

/* What becomes of the call that fails. */
enum { ONCE = 1, FROM_THERE_ON = 2, TORN = 4, NOW_AND_THEN = 8 };

#define PAGES 65536
#define NAMES 8192
#define PAGE 4096

/* `kept`: what is on disk is in the shadow; else it is nothing but zeroes. */
enum { CLEAN, DIRTY, LOST };
struct page { uint64_t inode; uint32_t number; uint16_t state; uint16_t kept; };
struct name { uint64_t folder; char path[248]; };

struct control {
    uint32_t armed;            /* mask of classes; 0 is at rest */
    uint32_t mode;
    int32_t error;
    uint32_t failed;           /* how many calls were made to fail */
    uint64_t nth;              /* which of the armed classes' calls, from 1 */
    uint64_t armed_calls;      /* calls of the armed classes since the arming */
    int64_t clock_offset_ms;   /* what the wall clock is wrong by */
    uint32_t overflow;         /* 1 where the tables below were too small */
    uint32_t most;             /* so many fail at most; 0 is no limit */
    uint64_t calls[16];
    char only[128];            /* only files whose path contains this */
    char last[256];            /* the call that failed last */
    struct name names[NAMES];
    struct page pages[PAGES];
};

/* Behind it in the same file, sparse: of each page, what is on disk of it. */
#define SHADOW ((sizeof(struct control) + PAGE - 1) / PAGE * PAGE)
#define SIZE (SHADOW + (size_t)PAGES * PAGE)
static char *shadow_of(struct control *control, struct page *page) {
    return (char *)control + SHADOW + (size_t)(page - control->pages) * PAGE;
}

#ifndef POWER_CUT

#define FILES 65536
static struct control *control;
static pid_t process;
static char below[PATH_MAX], *except;
static char *paths[FILES];     /* of open files below the folder */
static uint64_t inodes[FILES];
static uint8_t outward[FILES]; /* connected sockets */
static pthread_mutex_t account = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("FAILING_IO"), *folder = getenv("FAILING_IO_BELOW");
    unsetenv("LD_PRELOAD");
    unsetenv("FAILING_IO");
    except = getenv("FAILING_IO_EXCEPT");
    if (!file || !folder || !realpath(folder, below)) return;
    int fd = open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *map = ftruncate(fd, SIZE) ? MAP_FAILED : mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) return;
    process = getpid();
    control = map;
}

static int on(void) { return control && getpid() == process; }
static int known(int fd) { return fd >= 0 && fd < FILES && paths[fd]; }

/* The path of `name` in the folder `at`, if that is below ours. */
static int resolve(int at, const char *name, char *path) {
    size_t length = strlen(below);
    if (!name) return 0;
    if (name[0] == '/') snprintf(path, PATH_MAX, "%s", name);
    else if (at != AT_FDCWD && known(at)) snprintf(path, PATH_MAX, "%s/%s", paths[at], name);
    else return 0;
    if (except && strstr(path, except)) return 0;
    return !strncmp(path, below, length) && (path[length] == '/' || !path[length]);
}

/* Whether this call is to fail; errno is set then. */
static int fails(enum class class, const char *call, const char *path) {
    int before = errno;
    __atomic_add_fetch(&control->calls[class], 1, __ATOMIC_RELAXED);
    if (!(__atomic_load_n(&control->armed, __ATOMIC_ACQUIRE) & (1u << class))) return 0;
    if (control->only[0] && (!path || !strstr(path, control->only))) return 0;
    if (control->most && __atomic_load_n(&control->failed, __ATOMIC_RELAXED) >= control->most) return 0;
    uint64_t number = __atomic_add_fetch(&control->armed_calls, 1, __ATOMIC_RELAXED);
    int now = number == control->nth;
    if (control->mode & FROM_THERE_ON) now = number >= control->nth;
    /* In no rhythm, so that it is not always the same call of a step that is tried again. */
    if (control->mode & NOW_AND_THEN) now = (number * 0x9e3779b97f4a7c15u >> 33) % control->nth == 0;
    if (!now) { errno = before; return 0; }
    __atomic_add_fetch(&control->failed, 1, __ATOMIC_RELAXED);
    snprintf(control->last, sizeof control->last, "%s %.200s", call, path ? path : "");
    errno = control->error;
    return 1;
}

/* The account of what a power cut would take. */

static ssize_t on_file(int fd, char *to, off_t from) {
    static ssize_t (*real)(int, void *, size_t, off64_t);
    if (!real) real = (ssize_t (*)(int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");
    memset(to, 0, PAGE);
    return real(fd, to, PAGE, from);
}

/* The page; one that is new is as the file has it now. */
static struct page *page_of(int fd, uint32_t number) {
    uint64_t place = (inodes[fd] * 0x9e3779b97f4a7c15u) ^ ((uint64_t)number * 0xc2b2ae3d27d4eb4fu);
    for (uint32_t step = 0; step < PAGES; step++) {
        struct page *page = &control->pages[(place + step) % PAGES];
        if (page->inode == inodes[fd] && page->number == number) return page;
        if (page->inode) continue;
        page->inode = inodes[fd];
        page->number = number;
        page->kept = on_file(fd, shadow_of(control, page), (off_t)number * PAGE) > 0;
        return page;
    }
    control->overflow = 1;
    return NULL;
}

/* Before a write: what is on disk of its pages is known. After it they differ. */
static void writes(int fd, off_t from, size_t length, int done) {
    if (!length || !known(fd)) return;
    int error = errno;
    pthread_mutex_lock(&account);
    for (off_t number = from / PAGE; number <= (off_t)(from + length - 1) / PAGE; number++) {
        struct page *page = page_of(fd, (uint32_t)number);
        if (page && done) page->state = DIRTY;
    }
    pthread_mutex_unlock(&account);
    errno = error;
}

static off_t here(int fd) { return known(fd) ? lseek(fd, 0, SEEK_CUR) : 0; }

static void cut_to(int fd, off_t length) {
    pthread_mutex_lock(&account);
    for (uint32_t i = 0; i < PAGES; i++) {
        struct page *page = &control->pages[i];
        if (page->inode == inodes[fd] && (off_t)page->number * PAGE >= length) page->state = CLEAN, page->kept = 0;
    }
    pthread_mutex_unlock(&account);
}

static void synced(int fd, int done) {
    pthread_mutex_lock(&account);
    for (uint32_t i = 0; i < PAGES; i++) {
        struct page *page = &control->pages[i];
        if (page->inode != inodes[fd] || page->state != DIRTY) continue;
        page->state = done ? CLEAN : LOST;
        if (done) page->kept = on_file(fd, shadow_of(control, page), (off_t)page->number * PAGE) > 0;
    }
    for (uint32_t i = 0; done && i < NAMES; i++)
        if (control->names[i].folder == inodes[fd]) control->names[i].folder = 0;
    pthread_mutex_unlock(&account);
}

/* A new file of an inode that another had: nothing of that one matters. */
static void fresh(uint64_t inode) {
    pthread_mutex_lock(&account);
    for (uint32_t i = 0; i < PAGES; i++)
        if (control->pages[i].inode == inode) control->pages[i].state = CLEAN, control->pages[i].kept = 0;
    pthread_mutex_unlock(&account);
}

static uint64_t inode_of(const char *path) {
    struct stat found;
    return fstatat(AT_FDCWD, path, &found, AT_SYMLINK_NOFOLLOW) ? 0 : found.st_ino;
}

static uint64_t folder_of(const char *path) {
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *end = strrchr(folder, '/');
    if (end) *end = 0;
    return inode_of(folder);
}

static void gone(const char *path) {
    pthread_mutex_lock(&account);
    for (uint32_t i = 0; i < NAMES; i++)
        if (control->names[i].folder && !strcmp(control->names[i].path, path)) control->names[i].folder = 0;
    pthread_mutex_unlock(&account);
}

static void made(const char *path) {
    uint64_t folder = folder_of(path);
    gone(path);
    pthread_mutex_lock(&account);
    uint32_t i = 0;
    while (i < NAMES && control->names[i].folder) i++;
    if (i == NAMES || strlen(path) >= sizeof control->names[i].path) control->overflow = 1;
    else { control->names[i].folder = folder; strcpy(control->names[i].path, path); }
    pthread_mutex_unlock(&account);
}

/* Files. */

static void opened(int fd, const char *path, int is_new) {
    struct stat found;
    if (fd < 0 || fd >= FILES || fstat(fd, &found)) return;
    char *copy = strdup(path), *before = paths[fd];
    inodes[fd] = found.st_ino;
    paths[fd] = copy;
    free(before);
    if (is_new) { fresh(found.st_ino); made(path); }
}

#define OPEN_BODY(at, call) \
    char path[PATH_MAX]; \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); } \
    int ours = on() && resolve(at, name, path); \
    if (ours && fails(OPEN, "open", path)) return -1; \
    int is_new = ours && (flags & O_CREAT) && !inode_of(path); \
    int fd = call; \
    if (fd >= 0 && fd < FILES) { \
        outward[fd] = 0; \
        if (ours) { opened(fd, path, is_new); if ((flags & O_TRUNC) && !is_new) cut_to(fd, 0); } \
        else if (known(fd)) { free(paths[fd]); paths[fd] = NULL; } \
    } \
    return fd

int open(const char *name, int flags, ...) { REAL(open); OPEN_BODY(AT_FDCWD, real(name, flags, mode)); }
int open64(const char *name, int flags, ...) { REAL(open64); OPEN_BODY(AT_FDCWD, real(name, flags, mode)); }
int openat(int at, const char *name, int flags, ...) { REAL(openat); OPEN_BODY(at, real(at, name, flags, mode)); }
int openat64(int at, const char *name, int flags, ...) { REAL(openat64); OPEN_BODY(at, real(at, name, flags, mode)); }

int close(int fd) {
    REAL(close);
    if (on() && fd >= 0 && fd < FILES) {
        char *path = paths[fd];
        paths[fd] = NULL;
        outward[fd] = 0;
        free(path);
    }
    return real(fd);
}

static int copied(int fd, int copy) {
    if (copy >= 0 && copy < FILES && on()) {
        char *path = known(fd) ? strdup(paths[fd]) : NULL, *before = paths[copy];
        paths[copy] = path;
        inodes[copy] = fd < FILES ? inodes[fd] : 0;
        outward[copy] = fd < FILES && outward[fd];
        free(before);
    }
    return copy;
}

#define FCNTL_BODY \
    va_list rest; \
    va_start(rest, command); \
    void *argument = va_arg(rest, void *); \
    va_end(rest); \
    int result = real(fd, command, argument); \
    return (command == F_DUPFD || command == F_DUPFD_CLOEXEC) ? copied(fd, result) : result
int fcntl(int fd, int command, ...) { REAL(fcntl); FCNTL_BODY; }
int fcntl64(int fd, int command, ...) { REAL(fcntl64); FCNTL_BODY; }

#define OURS(fd, class, call) (on() && known(fd) && fails(class, call, paths[fd]))
#define OUTWARD(fd, call) (on() && fd >= 0 && fd < FILES && outward[fd] && fails(NET, call, NULL))
#define TEARS (control->mode & TORN)

ssize_t read(int fd, void *to, size_t length) {
    REAL(read);
    return OURS(fd, READ, "read") || OUTWARD(fd, "read") ? -1 : real(fd, to, length);
}
ssize_t pread(int fd, void *to, size_t length, off_t from) { REAL(pread); return OURS(fd, READ, "pread") ? -1 : real(fd, to, length, from); }
ssize_t pread64(int fd, void *to, size_t length, off64_t from) { REAL(pread64); return OURS(fd, READ, "pread") ? -1 : real(fd, to, length, from); }
ssize_t readv(int fd, const struct iovec *to, int count) { REAL(readv); return OURS(fd, READ, "readv") || OUTWARD(fd, "readv") ? -1 : real(fd, to, count); }

/* A torn write leaves its first half. */
#define WRITE_BODY(at, size, half, whole) \
    if (!on() || !known(fd)) return whole; \
    off_t from_here = at; \
    int failed = fails(WRITE, "write", paths[fd]), error = errno; \
    writes(fd, from_here, size, 0); \
    ssize_t done = failed ? (TEARS ? half : 0) : whole; \
    if (done > 0) writes(fd, from_here, done, 1); \
    if (failed) errno = error; \
    return failed ? -1 : done
ssize_t write(int fd, const void *from, size_t length) {
    REAL(write);
    if (OUTWARD(fd, "write")) return -1;
    WRITE_BODY(here(fd), length, real(fd, from, length / 2), real(fd, from, length));
}
ssize_t pwrite(int fd, const void *from, size_t length, off_t at) {
    REAL(pwrite);
    WRITE_BODY(at, length, real(fd, from, length / 2, at), real(fd, from, length, at));
}
ssize_t pwrite64(int fd, const void *from, size_t length, off64_t at) {
    REAL(pwrite64);
    WRITE_BODY(at, length, real(fd, from, length / 2, at), real(fd, from, length, at));
}
ssize_t writev(int fd, const struct iovec *from, int count) {
    REAL(writev);
    if (OUTWARD(fd, "writev")) return -1;
    size_t length = 0;
    for (int i = 0; i < count; i++) length += from[i].iov_len;
    WRITE_BODY(here(fd), length, real(fd, from, 1), real(fd, from, count));
}
ssize_t copy_file_range(int in, off64_t *in_at, int fd, off64_t *at, size_t length, unsigned flags) {
    REAL(copy_file_range);
    off64_t place = on() && known(fd) ? (at ? *at : here(fd)) : 0;
    WRITE_BODY(place, length, 0, real(in, in_at, fd, at, length, flags));
}

#define SYNC_BODY(call) \
    REAL(call); \
    if (!on() || !known(fd)) return real(fd); \
    int failed = fails(SYNC, #call, paths[fd]), error = errno; \
    int result = failed ? -1 : real(fd); \
    synced(fd, result == 0); \
    if (failed) errno = error; \
    return result
int fsync(int fd) { SYNC_BODY(fsync); }
int fdatasync(int fd) { SYNC_BODY(fdatasync); }

#define TRUNCATE_BODY \
    if (OURS(fd, TRUNCATE, "ftruncate")) return -1; \
    int result = real(fd, length); \
    if (!result && on() && known(fd)) cut_to(fd, length); \
    return result
int ftruncate(int fd, off_t length) { REAL(ftruncate); TRUNCATE_BODY; }
int ftruncate64(int fd, off64_t length) { REAL(ftruncate64); TRUNCATE_BODY; }
int fallocate(int fd, int mode, off_t from, off_t length) { REAL(fallocate); return OURS(fd, TRUNCATE, "fallocate") ? -1 : real(fd, mode, from, length); }
int posix_fallocate(int fd, off_t from, off_t length) { REAL(posix_fallocate); return OURS(fd, TRUNCATE, "fallocate") ? errno : real(fd, from, length); }

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t from) {
    REAL(mmap);
    return fd >= 0 && OURS(fd, MAP, "mmap") ? MAP_FAILED : real(at, length, protection, flags, fd, from);
}
void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t from) {
    REAL(mmap64);
    return fd >= 0 && OURS(fd, MAP, "mmap") ? MAP_FAILED : real(at, length, protection, flags, fd, from);
}

/* Names. */

static int renamed(int result, int ours, const char *from, const char *to) {
    if (!result && ours) { if (from) gone(from); made(to); }
    return result;
}
#define RENAME_BODY(from_at, to_at, call, source) \
    char to_path[PATH_MAX], from_path[PATH_MAX]; \
    int ours = on() && resolve(to_at, to, to_path); \
    if (on()) resolve(from_at, from, from_path); \
    if (ours && fails(RENAME, "rename", to_path)) return -1; \
    return renamed(call, ours, source, to_path)
int rename(const char *from, const char *to) { REAL(rename); RENAME_BODY(AT_FDCWD, AT_FDCWD, real(from, to), from_path); }
int renameat(int a, const char *from, int b, const char *to) { REAL(renameat); RENAME_BODY(a, b, real(a, from, b, to), from_path); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { REAL(renameat2); RENAME_BODY(a, b, real(a, from, b, to, flags), from_path); }
int link(const char *from, const char *to) { REAL(link); RENAME_BODY(AT_FDCWD, AT_FDCWD, real(from, to), NULL); }
int linkat(int a, const char *from, int b, const char *to, int flags) { REAL(linkat); RENAME_BODY(a, b, real(a, from, b, to, flags), NULL); }

#define PATH_BODY(class, called, at, call, after) \
    char path[PATH_MAX]; \
    int ours = on() && resolve(at, name, path); \
    if (ours && fails(class, called, path)) return -1; \
    int result = call; \
    if (!result && ours) { after; } \
    return result
int unlink(const char *name) { REAL(unlink); PATH_BODY(UNLINK, "unlink", AT_FDCWD, real(name), gone(path)); }
int rmdir(const char *name) { REAL(rmdir); PATH_BODY(UNLINK, "rmdir", AT_FDCWD, real(name), gone(path)); }
int unlinkat(int at, const char *name, int flags) { REAL(unlinkat); PATH_BODY(UNLINK, "unlinkat", at, real(at, name, flags), gone(path)); }
int mkdir(const char *name, mode_t mode) { REAL(mkdir); PATH_BODY(MKDIR, "mkdir", AT_FDCWD, real(name, mode), made(path)); }
int mkdirat(int at, const char *name, mode_t mode) { REAL(mkdirat); PATH_BODY(MKDIR, "mkdir", at, real(at, name, mode), made(path)); }

int statx(int at, const char *restrict name, int flags, unsigned mask, struct statx *restrict found) {
    REAL(statx);
    char path[PATH_MAX];
    const char *volatile given = name;
    /* Rust asks with nothing whether there is such a call. */
    if (!given) return real(at, name, flags, mask, found);
    if (name[0] == 0) return OURS(at, STAT, "statx") ? -1 : real(at, name, flags, mask, found);
    if (on() && resolve(at, name, path) && fails(STAT, "statx", path)) return -1;
    return real(at, name, flags, mask, found);
}
DIR *opendir(const char *name) {
    REAL(opendir);
    char path[PATH_MAX];
    return on() && resolve(AT_FDCWD, name, path) && fails(LIST, "opendir", path) ? NULL : real(name);
}
struct dirent64 *readdir64(DIR *folder) {
    REAL(readdir64);
    int fd = on() ? dirfd(folder) : -1;
    return OURS(fd, LIST, "readdir") ? NULL : real(folder);
}

/* Others' machines, programs, threads. */

int connect(int fd, const struct sockaddr *to, socklen_t length) {
    REAL(connect);
    if (on() && to && (to->sa_family == AF_INET || to->sa_family == AF_INET6)) {
        if (fails(NET, "connect", NULL)) return -1;
        if (fd >= 0 && fd < FILES) outward[fd] = 1;
    }
    return real(fd, to, length);
}
ssize_t send(int fd, const void *from, size_t length, int flags) { REAL(send); return OUTWARD(fd, "send") ? -1 : real(fd, from, length, flags); }
ssize_t recv(int fd, void *to, size_t length, int flags) { REAL(recv); return OUTWARD(fd, "recv") ? -1 : real(fd, to, length, flags); }
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) { REAL(sendmsg); return OUTWARD(fd, "sendmsg") ? -1 : real(fd, message, flags); }
int accept4(int fd, struct sockaddr *restrict from, socklen_t *restrict length, int flags) {
    REAL(accept4);
    return on() && fails(ACCEPT, "accept4", NULL) ? -1 : real(fd, from, length, flags);
}
int posix_spawnp(pid_t *restrict child, const char *restrict file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *restrict attributes, char *const argv[], char *const envp[]) {
    REAL(posix_spawnp);
    return on() && fails(SPAWN, "spawn", file) ? errno : real(child, file, actions, attributes, argv, envp);
}
pid_t fork(void) { REAL(fork); return on() && fails(SPAWN, "fork", NULL) ? -1 : real(); }
int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*run)(void *), void *restrict with) {
    REAL(pthread_create);
    return on() && fails(THREAD, "pthread_create", NULL) ? errno : real(thread, attributes, run, with);
}

/* The wall clock. */

static int64_t offset(void) { return control ? __atomic_load_n(&control->clock_offset_ms, __ATOMIC_RELAXED) : 0; }
int clock_gettime(clockid_t clock, struct timespec *time) {
    REAL(clock_gettime);
    int result = real(clock, time);
    int64_t wrong = offset();
    if (!result && wrong && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t nanos = time->tv_nsec + (wrong % 1000) * 1000000;
        time->tv_sec += wrong / 1000 + (nanos >= 1000000000) - (nanos < 0);
        time->tv_nsec = nanos >= 1000000000 ? nanos - 1000000000 : nanos < 0 ? nanos + 1000000000 : nanos;
    }
    return result;
}
int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    REAL(gettimeofday);
    int result = real(time, zone);
    if (!result) time->tv_sec += offset() / 1000;
    return result;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

#else

#include <ftw.h>

/* power-cut CONTROL FOLDER COPY lost|unsynced: COPY is one of FOLDER, and becomes what is on disk of it where syncs have
 * failed; with `unsynced` also where there was none yet, and names are taken whose folder was not synced. */

static struct control *control;
static int worst;
static long pages, names;
static const char *folder, *copy;

static const char *in_copy(const char *path) {
    static char place[PATH_MAX];
    snprintf(place, sizeof place, "%s%s", copy, path + strlen(folder));
    return place;
}

static int take_pages(const char *path, const struct stat *found, int kind, struct FTW *place) {
    (void)place;
    struct stat copied;
    if (kind != FTW_F || stat(in_copy(path), &copied)) return 0;
    static const char nothing[PAGE];
    int fd = -1;
    for (uint32_t i = 0; i < PAGES; i++) {
        struct page *page = &control->pages[i];
        off_t from = (off_t)page->number * PAGE;
        if (page->inode != found->st_ino || page->state == CLEAN || (page->state == DIRTY && !worst) || from >= copied.st_size) continue;
        size_t length = copied.st_size - from < PAGE ? (size_t)(copied.st_size - from) : PAGE;
        if (fd < 0 && (fd = open(in_copy(path), O_WRONLY)) < 0) return -1;
        if (pwrite(fd, page->kept ? shadow_of(control, page) : nothing, length, from) != (ssize_t)length) return -1;
        pages++;
    }
    if (fd >= 0) close(fd);
    return 0;
}

static int take(const char *path, const struct stat *found, int kind, struct FTW *place) {
    (void)found; (void)kind; (void)place;
    return remove(path);
}

int main(int count, char **arguments) {
    if (count != 5) return 2;
    folder = arguments[2];
    copy = arguments[3];
    worst = !strcmp(arguments[4], "unsynced");
    int fd = open(arguments[1], O_RDWR);
    control = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || control == MAP_FAILED) return perror(arguments[1]), 2;
    if (control->overflow) return fputs("the account was too small\n", stderr), 3;
    if (nftw(folder, take_pages, 16, FTW_PHYS)) return perror("pages"), 4;
    for (uint32_t i = 0; worst && i < NAMES; i++) {
        struct name *name = &control->names[i];
        if (name->folder && !strncmp(name->path, folder, strlen(folder)) && !nftw(in_copy(name->path), take, 16, FTW_PHYS | FTW_DEPTH)) names++;
    }
    printf("%ld pages, %ld names\n", pages, names);
    return 0;
}

#endif
