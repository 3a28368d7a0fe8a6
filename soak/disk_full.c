/* LD_PRELOAD: the disk is full below JCS_FULL_DIRECTORY from the JCS_FULL_FROM-th operation on that needs room there
 * (0: never). How many there were is told on stderr when the process ends, `disk operations: N`.
 *
 * What libc offers for writing is wrapped: of C++ streams and of Node all output comes here. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long operations;

static int is_below(const char *path) {
  const char *directory = getenv("JCS_FULL_DIRECTORY");
  return directory != NULL && strncmp(path, directory, strlen(directory)) == 0;
}

/* Whether the operation, which is counted, finds the disk full. */
static int finds_no_room(void) {
  const char *from = getenv("JCS_FULL_FROM");
  const long number = atomic_fetch_add(&operations, 1) + 1, first = from == NULL ? 0 : atol(from);
  if (first == 0 || number < first) return 0;
  errno = ENOSPC;
  return 1;
}

static int fails_on(int file) {
  char link[64], path[PATH_MAX + 1];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = readlink(link, path, PATH_MAX);
  if (length < 0) return 0;
  path[length] = '\0';
  return is_below(path) && finds_no_room();
}

__attribute__((destructor)) static void tell(void) {
  fprintf(stderr, "disk operations: %ld\n", atomic_load(&operations));
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define WRAP(result, name, parameters, arguments)      \
  result name parameters {                             \
    if (fails_on(file)) return -1;                     \
    return NEXT(name) arguments;                       \
  }

WRAP(ssize_t, write, (int file, const void *data, size_t size), (file, data, size))
WRAP(ssize_t, pwrite, (int file, const void *data, size_t size, off_t at), (file, data, size, at))
WRAP(ssize_t, pwrite64, (int file, const void *data, size_t size, off64_t at), (file, data, size, at))
WRAP(ssize_t, writev, (int file, const struct iovec *parts, int count), (file, parts, count))
WRAP(ssize_t, pwritev, (int file, const struct iovec *parts, int count, off_t at), (file, parts, count, at))
WRAP(ssize_t, pwritev64, (int file, const struct iovec *parts, int count, off64_t at), (file, parts, count, at))
WRAP(int, fsync, (int file), (file))
WRAP(int, fdatasync, (int file), (file))

/* These give the error instead of setting errno. */
int posix_fallocate(int file, off_t at, off_t size) {
  return fails_on(file) ? ENOSPC : NEXT(posix_fallocate)(file, at, size);
}
int posix_fallocate64(int file, off64_t at, off64_t size) {
  return fails_on(file) ? ENOSPC : NEXT(posix_fallocate64)(file, at, size);
}

int rename(const char *from, const char *to) {
  if (is_below(to) && finds_no_room()) return -1;
  return NEXT(rename)(from, to);
}
int mkdir(const char *path, mode_t mode) {
  if (is_below(path) && finds_no_room()) return -1;
  return ((int (*)(const char *, mode_t))dlsym(RTLD_NEXT, "mkdir"))(path, mode);
}

static int opens_new(const char *path, int flags) { return (flags & O_CREAT) && is_below(path) && finds_no_room(); }

#define WRAP_OPEN(name)                                                            \
  int name(const char *path, int flags, ...) {                                     \
    va_list rest;                                                                  \
    va_start(rest, flags);                                                         \
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                                  \
    if (opens_new(path, flags)) return -1;                                         \
    return NEXT(name)(path, flags, mode);                                          \
  }
WRAP_OPEN(open)
WRAP_OPEN(open64)
