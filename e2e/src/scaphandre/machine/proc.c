/*
 * Loaded into Scaphandre before all other libraries. Two things of /proc are taken from the folder $KUBE_SCI_PROC:
 * the file `modules`, and the list of processes, which is the folder `processes` and names this process alone.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char modules[PATH_MAX], processes[PATH_MAX];

__attribute__((constructor)) static void prepare(void) {
    const char *folder = getenv("KUBE_SCI_PROC");
    char own[PATH_MAX + 32];
    int file;
    if (folder == NULL) return;
    snprintf(modules, sizeof modules, "%s/modules", folder);
    snprintf(processes, sizeof processes, "%s/processes", folder);
    snprintf(own, sizeof own, "%s/%d", processes, (int)getpid());
    file = creat(own, 0600);
    if (file >= 0) close(file);
}

static int open_as(const char *function, const char *path, int flags, mode_t mode) {
    int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, function);
    return next(modules[0] && strcmp(path, "/proc/modules") == 0 ? modules : path, flags, mode);
}

/* The mode is there only when a file may be created; reading it in vain does no harm. */
#define OPEN(name)                                   \
    int name(const char *path, int flags, ...) {     \
        va_list arguments;                           \
        mode_t mode;                                 \
        va_start(arguments, flags);                  \
        mode = va_arg(arguments, mode_t);            \
        va_end(arguments);                           \
        return open_as(#name, path, flags, mode);    \
    }

OPEN(open)
OPEN(open64)

DIR *opendir(const char *path) {
    DIR *(*next)(const char *) = (DIR *(*)(const char *))dlsym(RTLD_NEXT, "opendir");
    return next(processes[0] && strcmp(path, "/proc") == 0 ? processes : path);
}
