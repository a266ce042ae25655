/*
 * A disk that fails when it is told to, for one process and one directory.
 *
 * Loaded before the C library (LD_PRELOAD), it stands between a process and the files under a directory. A shared file
 * of control words says what to do at which operation: end the process, fail, write half. With a log it keeps an undo
 * record of everything that was not synced, so that the directory can be put into the state that a power cut could
 * have left. A process that makes its system calls without the C library slips past.
 *
 * TORTURE_DIR      the directory, absolute and without links
 * TORTURE_CONTROL  the control words, see `struct control`
 * TORTURE_LOG      where undo records go; nothing is recorded without it
 * TORTURE_GRAVE    a folder on the same file system that keeps what was unlinked, for undoing it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { CREATE, OPEN, WRITE, SYNC, SIZE, NAME, UNLINK, FOLDER, READ, KINDS = 16 };
enum action { NONE, KILL_BEFORE, KILL_AFTER, KILL_HALF, FAIL_ONCE, FAIL_ON, SHORT_ONCE, SHORT_ON };

struct control {
    _Atomic uint64_t magic, action, mask, error;
    _Atomic int64_t countdown;
    _Atomic uint64_t fired, fired_kind, free_bytes;
    _Atomic uint64_t counts[KINDS];
};

/* What an undo record begins with; old bytes and two paths follow. */
struct record {
    uint32_t magic, type;
    uint64_t seq, inode, offset, len, old_len;
    uint32_t data, path, path2, zeros;
};
enum type { R_DATA = 1, R_SYNC, R_CREATE, R_RENAME, R_UNLINK, R_MKDIR, R_RMDIR, R_LINK, R_SYNC_ALL };
#define RECORD_MAGIC 0x70f06001u

static struct control *control;
static char root[PATH_MAX], grave[PATH_MAX];
static size_t root_len;
static dev_t root_dev;
static int log_fd = -1;
static uint64_t last_seq;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define TRACKED (1u << 17)
static _Atomic uint64_t tracked[TRACKED];
#define READERS 64
static struct { uint64_t inode; int fd; } readers[READERS];

static long sys_openat(int dir, const char *path, int flags, mode_t mode) {
    return syscall(SYS_openat, dir, path, flags, mode);
}

__attribute__((constructor)) static void start(void) {
    const char *directory = getenv("TORTURE_DIR"), *words = getenv("TORTURE_CONTROL");
    const char *undo = getenv("TORTURE_LOG"), *bin = getenv("TORTURE_GRAVE");
    struct stat st;
    if (!directory || !words || stat(directory, &st)) return;
    root_dev = st.st_dev;
    root_len = strlen(directory);
    memcpy(root, directory, root_len + 1);
    if (bin) snprintf(grave, sizeof grave, "%s", bin);
    if (undo) {
        log_fd = (int)sys_openat(AT_FDCWD, undo, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        /* Out of the way of the numbers that the process expects. */
        int high = fcntl(log_fd, F_DUPFD_CLOEXEC, 700);
        if (high >= 0) { close(log_fd); log_fd = high; }
    }
    int fd = (int)sys_openat(AT_FDCWD, words, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return;
    void *map = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    /* Children of the process are left alone. */
    unsetenv("LD_PRELOAD");
    if (map != MAP_FAILED) control = map;
}

static void track(uint64_t inode) {
    for (uint32_t i = (uint32_t)(inode * 2654435761u) % TRACKED, n = 0; n < TRACKED; n++, i = (i + 1) % TRACKED) {
        uint64_t was = 0;
        if (atomic_compare_exchange_strong(&tracked[i], &was, inode) || was == inode) return;
    }
}

static int is_tracked(uint64_t inode) {
    for (uint32_t i = (uint32_t)(inode * 2654435761u) % TRACKED, n = 0; n < TRACKED; n++, i = (i + 1) % TRACKED) {
        uint64_t at = atomic_load_explicit(&tracked[i], memory_order_relaxed);
        if (at == inode) return 1;
        if (!at) return 0;
    }
    return 0;
}

/* The inode of a descriptor under the directory, or 0. */
static uint64_t inode_of(int fd, struct stat *st) {
    if (!control || fstat(fd, st) || st->st_dev != root_dev || !is_tracked(st->st_ino)) return 0;
    return st->st_ino;
}

/* The absolute path, if it lies under the directory (or is it). */
static int within(int dir, const char *path, char *out) {
    if (!control || !path) return 0;
    if (path[0] == '/') {
        if (strlen(path) >= PATH_MAX) return 0;
        strcpy(out, path);
    } else {
        char base[PATH_MAX], link[64];
        ssize_t n;
        if (dir == AT_FDCWD) {
            n = syscall(SYS_getcwd, base, sizeof base) - 1;
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
            n = readlink(link, base, sizeof base - 1);
        }
        if (n <= 0 || (size_t)n + strlen(path) + 2 > PATH_MAX) return 0;
        base[n] = 0;
        sprintf(out, "%s/%s", base, path);
    }
    return !strncmp(out, root, root_len) && (out[root_len] == '/' || !out[root_len]);
}

static uint64_t inode_at(const char *path) {
    struct stat st;
    return lstat(path, &st) ? 0 : st.st_ino;
}

static uint64_t parent_of(const char *path) {
    char parent[PATH_MAX];
    strcpy(parent, path);
    char *slash = strrchr(parent, '/');
    if (!slash || slash == parent) return 0;
    *slash = 0;
    uint64_t inode = inode_at(parent);
    if (inode) track(inode);
    return inode;
}

static void end(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;) pause();
}

static enum action decide(enum kind kind) {
    atomic_fetch_add(&control->counts[kind], 1);
    uint64_t action = atomic_load(&control->action);
    if (action == NONE || !(atomic_load(&control->mask) >> kind & 1)) return NONE;
    int64_t left = atomic_fetch_sub(&control->countdown, 1);
    if (left > 0) return NONE;
    if (left == 0) {
        atomic_store(&control->fired_kind, kind);
        atomic_store(&control->fired, 1);
        if (action == KILL_BEFORE) end();
        return (enum action)action;
    }
    return action == FAIL_ON || action == SHORT_ON ? FAIL_ON : NONE;
}

static int fails(enum action action) {
    if (action != FAIL_ONCE && action != FAIL_ON) return 0;
    errno = (int)atomic_load(&control->error);
    return 1;
}

static void after(enum action action) {
    if (action == KILL_AFTER || action == KILL_HALF) end();
}

static int logs(void) { return log_fd >= 0; }

static void enter(void) { if (logs()) pthread_mutex_lock(&lock); }
static void leave(void) { if (logs()) pthread_mutex_unlock(&lock); }

/* Appends one record; the lock is held. Returns its number. */
static uint64_t record(enum type type, uint64_t inode, uint64_t offset, uint64_t len, uint64_t old_len,
                       const void *data, size_t data_len, const char *path, const char *path2) {
    struct record head = {RECORD_MAGIC, type, ++last_seq, inode, offset, len, old_len, 0, 0, 0, 0};
    const char *bytes = data;
    size_t zeros = 0;
    while (zeros < data_len && !bytes[zeros]) zeros++;
    head.zeros = (uint32_t)(zeros == data_len ? data_len : 0);
    head.data = (uint32_t)(zeros == data_len ? 0 : data_len);
    head.path = path ? (uint32_t)strlen(path) : 0;
    head.path2 = path2 ? (uint32_t)strlen(path2) : 0;
    struct iovec parts[] = {{&head, sizeof head},
                            {(void *)data, head.data},
                            {(void *)path, head.path},
                            {(void *)path2, head.path2}};
    size_t all = sizeof head + head.data + head.path + head.path2;
    if (syscall(SYS_writev, log_fd, parts, 4) != (long)all) {
        static const char message[] = "torture: the undo log cannot be written\n";
        (void)!syscall(SYS_write, 2, message, sizeof message - 1);
        end();
    }
    return head.seq;
}

static int reader_of(int fd, uint64_t inode) {
    unsigned slot = (unsigned)(inode % READERS);
    if (readers[slot].inode == inode) return readers[slot].fd;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int reader = (int)sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (reader < 0) return -1;
    if (readers[slot].inode) syscall(SYS_close, readers[slot].fd);
    readers[slot].inode = inode;
    readers[slot].fd = reader;
    return reader;
}

/* Records what `len` bytes at `offset` are now and how long the file is; the lock is held. */
static void record_data(int fd, const struct stat *st, uint64_t offset, uint64_t len) {
    uint64_t size = (uint64_t)st->st_size;
    uint64_t covered = offset >= size ? 0 : (offset + len > size ? size - offset : len);
    char *old = NULL;
    size_t have = 0;
    if (covered) {
        int reader = reader_of(fd, st->st_ino);
        old = malloc(covered);
        while (old && reader >= 0 && have < covered) {
            long n = syscall(SYS_pread64, reader, old + have, covered - have, offset + have);
            if (n <= 0) break;
            have += (size_t)n;
        }
    }
    record(R_DATA, st->st_ino, offset, len, size, old, have, NULL, NULL);
    free(old);
}

static size_t total(const struct iovec *parts, int count) {
    size_t sum = 0;
    for (int i = 0; i < count; i++) sum += parts[i].iov_len;
    return sum;
}

/* offset < 0: at the descriptor's own position. */
static ssize_t do_write(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    struct stat st;
    uint64_t inode = inode_of(fd, &st);
    if (!inode || !S_ISREG(st.st_mode)) {
        if (flags) return syscall(SYS_pwritev2, fd, parts, count, offset, 0, flags);
        if (offset >= 0) return syscall(SYS_pwritev, fd, parts, count, offset, 0);
        return syscall(SYS_writev, fd, parts, count);
    }
    enum action action = decide(WRITE);
    if (fails(action)) return -1;
    size_t len = total(parts, count);
    struct iovec less[64];
    if ((action == KILL_HALF || action == SHORT_ONCE || action == SHORT_ON) && len > 1 && count <= 64) {
        size_t half = len / 2, left = half;
        int used = 0;
        for (int i = 0; i < count && left; i++, used++) {
            less[i] = parts[i];
            if (less[i].iov_len > left) less[i].iov_len = left;
            left -= less[i].iov_len;
        }
        parts = less;
        count = used;
        len = half;
    }
    enter();
    if (logs()) {
        uint64_t at;
        if (offset >= 0) at = (uint64_t)offset;
        else {
            fstat(fd, &st);
            at = (fcntl(fd, F_GETFL) & O_APPEND) ? (uint64_t)st.st_size : (uint64_t)lseek(fd, 0, SEEK_CUR);
        }
        fstat(fd, &st);
        record_data(fd, &st, at, len);
    }
    ssize_t n;
    if (flags) n = syscall(SYS_pwritev2, fd, parts, count, offset, 0, flags);
    else if (offset >= 0) n = syscall(SYS_pwritev, fd, parts, count, offset, 0);
    else n = syscall(SYS_writev, fd, parts, count);
    int saved = errno;
    leave();
    after(action);
    errno = saved;
    return n;
}

ssize_t write(int fd, const void *data, size_t len) {
    struct stat st;
    if (!inode_of(fd, &st)) return syscall(SYS_write, fd, data, len);
    struct iovec part = {(void *)data, len};
    return do_write(fd, &part, 1, -1, 0);
}
ssize_t pwrite(int fd, const void *data, size_t len, off_t offset) {
    struct iovec part = {(void *)data, len};
    return do_write(fd, &part, 1, offset, 0);
}
ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset) { return pwrite(fd, data, len, offset); }
ssize_t writev(int fd, const struct iovec *parts, int count) { return do_write(fd, parts, count, -1, 0); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return do_write(fd, parts, count, offset, 0);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) {
    return do_write(fd, parts, count, offset, 0);
}
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    return do_write(fd, parts, count, offset, flags);
}
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    return do_write(fd, parts, count, offset, flags);
}

static int read_fails(int fd) {
    struct stat st;
    return control && (atomic_load(&control->mask) >> READ & 1) && inode_of(fd, &st) && S_ISREG(st.st_mode)
           && fails(decide(READ));
}
ssize_t read(int fd, void *data, size_t len) {
    return read_fails(fd) ? -1 : syscall(SYS_read, fd, data, len);
}
ssize_t pread(int fd, void *data, size_t len, off_t offset) {
    return read_fails(fd) ? -1 : syscall(SYS_pread64, fd, data, len, offset);
}
ssize_t pread64(int fd, void *data, size_t len, off_t offset) { return pread(fd, data, len, offset); }

static int do_sync(int fd, long call) {
    struct stat st;
    uint64_t inode = inode_of(fd, &st);
    if (!inode) return (int)syscall(call, fd);
    enum action action = decide(SYNC);
    if (fails(action)) return -1;
    enter();
    uint64_t until = last_seq;
    leave();
    int outcome = (int)syscall(call, fd);
    int saved = errno;
    if (!outcome && logs()) {
        enter();
        record(R_SYNC, inode, until, 0, 0, NULL, 0, NULL, NULL);
        leave();
    }
    after(action);
    errno = saved;
    return outcome;
}
int fsync(int fd) { return do_sync(fd, SYS_fsync); }
int fdatasync(int fd) { return do_sync(fd, SYS_fdatasync); }
static int sync_all(int fd) {
    enter();
    uint64_t until = last_seq;
    leave();
    int outcome = (int)(fd < 0 ? syscall(SYS_sync) : syscall(SYS_syncfs, fd));
    if (!outcome && logs()) {
        enter();
        record(R_SYNC_ALL, 0, until, 0, 0, NULL, 0, NULL, NULL);
        leave();
    }
    return outcome;
}
int syncfs(int fd) { return sync_all(fd); }
void sync(void) { sync_all(-1); }

int ftruncate(int fd, off_t len) {
    struct stat st;
    if (!inode_of(fd, &st)) return (int)syscall(SYS_ftruncate, fd, len);
    enum action action = decide(SIZE);
    if (fails(action)) return -1;
    enter();
    if (logs()) {
        fstat(fd, &st);
        uint64_t size = (uint64_t)st.st_size, to = (uint64_t)len;
        record_data(fd, &st, to, to < size ? size - to : 0);
    }
    int outcome = (int)syscall(SYS_ftruncate, fd, len), saved = errno;
    leave();
    after(action);
    errno = saved;
    return outcome;
}
int ftruncate64(int fd, off_t len) { return ftruncate(fd, len); }

int fallocate(int fd, int mode, off_t offset, off_t len) {
    struct stat st;
    if (!inode_of(fd, &st)) return (int)syscall(SYS_fallocate, fd, mode, offset, len);
    enum action action = decide(SIZE);
    if (fails(action)) return -1;
    enter();
    if (logs()) {
        fstat(fd, &st);
        /* Only holes change bytes; other modes change the length at most. */
        record_data(fd, &st, (uint64_t)offset, mode & FALLOC_FL_PUNCH_HOLE ? (uint64_t)len : 0);
    }
    int outcome = (int)syscall(SYS_fallocate, fd, mode, offset, len), saved = errno;
    leave();
    after(action);
    errno = saved;
    return outcome;
}
int fallocate64(int fd, int mode, off_t offset, off_t len) { return fallocate(fd, mode, offset, len); }
int posix_fallocate(int fd, off_t offset, off_t len) { return fallocate(fd, 0, offset, len) ? errno : 0; }
int posix_fallocate64(int fd, off_t offset, off_t len) { return posix_fallocate(fd, offset, len); }

ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t len, unsigned flags) {
    struct stat st;
    if (inode_of(to, &st)) {
        /* The caller then copies by reading and writing, which is seen. */
        errno = ENOSYS;
        return -1;
    }
    return syscall(SYS_copy_file_range, from, from_at, to, to_at, len, flags);
}

static int do_open(int dir, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    if (!within(dir, path, full)) return (int)sys_openat(dir, path, flags, mode);
    uint64_t before = inode_at(full);
    int creates = (flags & O_CREAT) && !before;
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    enum action action = creates ? decide(CREATE) : writes ? decide(OPEN) : NONE;
    if (fails(action)) return -1;
    enter();
    if (logs() && before && (flags & O_TRUNC) && writes && !(flags & O_EXCL)) {
        int old = (int)sys_openat(dir, path, O_RDONLY | O_CLOEXEC, 0);
        struct stat st;
        if (old >= 0 && !fstat(old, &st)) record_data(old, &st, 0, (uint64_t)st.st_size);
        if (old >= 0) syscall(SYS_close, old);
    }
    int fd = (int)sys_openat(dir, path, flags, mode), saved = errno;
    if (fd >= 0) {
        struct stat st;
        if (!fstat(fd, &st)) track(st.st_ino);
        if (creates && logs()) record(R_CREATE, parent_of(full), 0, 0, 0, NULL, 0, full, NULL);
    }
    leave();
    after(action);
    errno = saved;
    return fd;
}
#define MODE(flags, last) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { va_list list; va_start(list, last); mode = va_arg(list, mode_t); va_end(list); }
int open(const char *path, int flags, ...) { MODE(flags, flags) return do_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, flags) return do_open(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags, flags) return do_open(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags, flags) return do_open(dir, path, flags, mode); }

/* Keeps what a name stands for under the number of the record that is about to be written. */
static void bury(const char *path) {
    char kept[PATH_MAX];
    if (!grave[0] || snprintf(kept, sizeof kept, "%s/%llu", grave, (unsigned long long)(last_seq + 1)) >= PATH_MAX)
        return;
    syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, kept, 0);
}

static int do_rename(int dir, const char *path, int dir2, const char *path2, unsigned flags) {
    char from[PATH_MAX], to[PATH_MAX];
    if (!within(dir, path, from) || !within(dir2, path2, to))
        return (int)syscall(SYS_renameat2, dir, path, dir2, path2, flags);
    enum action action = decide(NAME);
    if (fails(action)) return -1;
    enter();
    if (logs() && inode_at(from)) {
        int replaces = inode_at(to) != 0 && !flags;
        if (replaces) bury(to);
        record(R_RENAME, parent_of(to), (uint64_t)replaces, 0, parent_of(from), NULL, 0, from, to);
    }
    int outcome = (int)syscall(SYS_renameat2, dir, path, dir2, path2, flags), saved = errno;
    leave();
    after(action);
    errno = saved;
    return outcome;
}
int rename(const char *a, const char *b) { return do_rename(AT_FDCWD, a, AT_FDCWD, b, 0); }
int renameat(int d, const char *a, int e, const char *b) { return do_rename(d, a, e, b, 0); }
int renameat2(int d, const char *a, int e, const char *b, unsigned f) { return do_rename(d, a, e, b, f); }

static int do_link(int dir, const char *path, int dir2, const char *path2, int flags) {
    char to[PATH_MAX];
    if (!within(dir2, path2, to)) return (int)syscall(SYS_linkat, dir, path, dir2, path2, flags);
    enum action action = decide(NAME);
    if (fails(action)) return -1;
    enter();
    int outcome = (int)syscall(SYS_linkat, dir, path, dir2, path2, flags), saved = errno;
    if (!outcome && logs()) record(R_LINK, parent_of(to), 0, 0, 0, NULL, 0, to, NULL);
    leave();
    after(action);
    errno = saved;
    return outcome;
}
int link(const char *a, const char *b) { return do_link(AT_FDCWD, a, AT_FDCWD, b, 0); }
int linkat(int d, const char *a, int e, const char *b, int f) { return do_link(d, a, e, b, f); }

int unlinkat(int dir, const char *path, int flags) {
    char full[PATH_MAX];
    if (!within(dir, path, full)) return (int)syscall(SYS_unlinkat, dir, path, flags);
    int folder = flags & AT_REMOVEDIR;
    enum action action = decide(folder ? FOLDER : UNLINK);
    if (fails(action)) return -1;
    enter();
    if (logs() && inode_at(full)) {
        if (!folder) bury(full);
        record(folder ? R_RMDIR : R_UNLINK, parent_of(full), 0, 0, 0, NULL, 0, full, NULL);
    }
    int outcome = (int)syscall(SYS_unlinkat, dir, path, flags), saved = errno;
    leave();
    after(action);
    errno = saved;
    return outcome;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int dir, const char *path, mode_t mode) {
    char full[PATH_MAX];
    if (!within(dir, path, full)) return (int)syscall(SYS_mkdirat, dir, path, mode);
    enum action action = decide(FOLDER);
    if (fails(action)) return -1;
    enter();
    int outcome = (int)syscall(SYS_mkdirat, dir, path, mode), saved = errno;
    if (!outcome) {
        track(inode_at(full));
        if (logs()) record(R_MKDIR, parent_of(full), 0, 0, 0, NULL, 0, full, NULL);
    }
    leave();
    after(action);
    errno = saved;
    return outcome;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

static int fill(long outcome, const struct statfs *from, struct statvfs *to) {
    if (outcome) return -1;
    memset(to, 0, sizeof *to);
    to->f_bsize = (unsigned long)from->f_bsize;
    to->f_frsize = (unsigned long)(from->f_frsize ? from->f_frsize : from->f_bsize);
    to->f_blocks = from->f_blocks;
    to->f_bfree = from->f_bfree;
    to->f_bavail = from->f_bavail;
    to->f_files = from->f_files;
    to->f_ffree = to->f_favail = from->f_ffree;
    to->f_namemax = (unsigned long)from->f_namelen;
    to->f_flag = (unsigned long)from->f_flags & ~0x20ul;
    uint64_t free_bytes = control ? atomic_load(&control->free_bytes) : UINT64_MAX;
    if (free_bytes != UINT64_MAX) to->f_bavail = to->f_bfree = free_bytes / to->f_frsize;
    return 0;
}
int statvfs(const char *path, struct statvfs *out) {
    struct statfs st;
    return fill(syscall(SYS_statfs, path, &st), &st, out);
}
int fstatvfs(int fd, struct statvfs *out) {
    struct statfs st;
    return fill(syscall(SYS_fstatfs, fd, &st), &st, out);
}
int statvfs64(const char *path, struct statvfs64 *out) { return statvfs(path, (struct statvfs *)out); }
int fstatvfs64(int fd, struct statvfs64 *out) { return fstatvfs(fd, (struct statvfs *)out); }
