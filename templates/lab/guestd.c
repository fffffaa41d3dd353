/*
 * The lab guest's services: HTTP on port 80 and a line echo on port 7, over IPv4 and IPv6.
 *
 * Both copies of a protected guest must send the same bytes for the same request, so there is no Date header, a
 * reply is one write, and the echo answers whole lines only. Each connection is one process: a slow disk behind
 * /write does not hold up the echo.
 *
 *   GET /                                       the same on both sides
 *   GET /uptime                                 differs between the sides: forces a divergence
 *   GET /time                                   wall clock and monotonic clock, seconds; differs likewise
 *   GET /bytes?count=N                          N deterministic bytes
 *   GET /write?disk=D&sector=S&value=TEXT       one 512-byte sector, fsynced before the answer
 *   GET /read?disk=D&sector=S                   the text in that sector, read past the page cache
 *   GET /poweroff, /reboot, /panic              act on the guest after the answer
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECTOR 512
#define LINE 4096

static void send_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(0);
        data += n;
        length -= (size_t)n;
    }
}

static void reply(int fd, const char *status, const char *body, size_t length)
{
    static char out[LINE * 2 + (1 << 20)];
    int head = snprintf(out, LINE, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                                   "Connection: close\r\n\r\n", status, length);
    memcpy(out + head, body, length);
    send_all(fd, out, (size_t)head + length);
}

static void reply_text(int fd, const char *status, const char *body)
{
    reply(fd, status, body, strlen(body));
}

/* Copies the value of `name` out of a query string, with %XX and + decoded; 0 when it is absent. */
static int query_value(const char *query, const char *name, char *out, size_t size)
{
    size_t wanted = strlen(name), used = 0;
    const char *p = query;
    while (p != NULL && (strncmp(p, name, wanted) != 0 || p[wanted] != '=')) {
        p = strchr(p, '&');
        p = p == NULL ? NULL : p + 1;
    }
    if (p == NULL)
        return 0;
    for (p += wanted + 1; *p != '\0' && *p != '&' && used + 1 < size; p++) {
        if (*p == '%' && isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2])) {
            char hex[3] = {p[1], p[2], 0};
            out[used++] = (char)strtol(hex, NULL, 16);
            p += 2;
        } else {
            out[used++] = *p == '+' ? ' ' : *p;
        }
    }
    out[used] = '\0';
    return 1;
}

static long query_number(const char *query, const char *name, long fallback)
{
    char text[32];
    return query_value(query, name, text, sizeof text) ? strtol(text, NULL, 10) : fallback;
}

/* Disk D is the D-th virtio disk, or the D-th SCSI/IDE disk when there is no such virtio disk. */
static int open_disk(long disk, int flags)
{
    char path[16];
    if (disk < 0 || disk > 15) {
        errno = EINVAL;
        return -1;
    }
    snprintf(path, sizeof path, "/dev/vd%c", (char)('a' + disk));
    int fd = open(path, flags);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    snprintf(path, sizeof path, "/dev/sd%c", (char)('a' + disk));
    return open(path, flags);
}

static void reply_errno(int fd, const char *what)
{
    char text[256];
    snprintf(text, sizeof text, "%s: %s\n", what, strerror(errno));
    reply_text(fd, "500 Error", text);
}

static void serve_write(int fd, const char *query)
{
    char sector[SECTOR] = {0}, text[SECTOR + 128];
    long disk = query_number(query, "disk", 0), number = query_number(query, "sector", 0);
    if (!query_value(query, "value", sector, sizeof sector)) {
        reply_text(fd, "400 Bad Request", "value is missing\n");
        return;
    }
    int dev = open_disk(disk, O_RDWR);
    if (dev < 0 || pwrite(dev, sector, SECTOR, (off_t)number * SECTOR) != SECTOR || fsync(dev) != 0) {
        reply_errno(fd, "write");
        return;
    }
    snprintf(text, sizeof text, "written disk=%ld sector=%ld value=%s\n", disk, number, sector);
    reply_text(fd, "200 OK", text);
}

static void serve_read(int fd, const char *query)
{
    static char sector[4096] __attribute__((aligned(4096)));
    char text[SECTOR + 2];
    long disk = query_number(query, "disk", 0), number = query_number(query, "sector", 0);
    int dev = open_disk(disk, O_RDONLY | O_DIRECT);
    if (dev < 0 || pread(dev, sector, SECTOR, (off_t)number * SECTOR) != SECTOR) {
        reply_errno(fd, "read");
        return;
    }
    snprintf(text, sizeof text, "%.*s\n", SECTOR, sector);
    reply_text(fd, "200 OK", text);
}

static void serve_bytes(int fd, const char *query)
{
    static char body[1 << 20];
    long count = query_number(query, "count", 1024);
    if (count < 0 || count > (long)sizeof body) {
        reply_text(fd, "400 Bad Request", "count is 0 to 1048576\n");
        return;
    }
    for (long i = 0; i < count; i++)
        body[i] = i % 64 == 63 ? '\n' : (char)('!' + i % 89);
    reply(fd, "200 OK", body, (size_t)count);
}

static void act_after_reply(int fd, int how)
{
    reply_text(fd, "200 OK", "bye\n");
    shutdown(fd, SHUT_RDWR);
    sync();
    usleep(200 * 1000);
    if (how == 0) {
        int trigger = open("/proc/sysrq-trigger", O_WRONLY);
        if (trigger >= 0 && write(trigger, "c", 1) < 0)
            perror("sysrq");
        return;
    }
    reboot(how);
}

static void serve_http(int fd)
{
    char request[LINE], path[LINE] = "";
    size_t used = 0;
    while (used + 1 < sizeof request) {
        ssize_t n = read(fd, request + used, sizeof request - 1 - used);
        if (n <= 0)
            return;
        used += (size_t)n;
        request[used] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL || strstr(request, "\n\n") != NULL)
            break;
    }
    if (sscanf(request, "GET %4000s", path) != 1) {
        reply_text(fd, "400 Bad Request", "GET only\n");
        return;
    }
    char *query = strchr(path, '?');
    if (query != NULL)
        *query++ = '\0';
    else
        query = path + strlen(path);
    if (strcmp(path, "/") == 0) {
        reply_text(fd, "200 OK", "Hello from the lab guest. This page is the same on both sides.\n");
    } else if (strcmp(path, "/uptime") == 0) {
        struct timespec now;
        char text[64];
        clock_gettime(CLOCK_MONOTONIC, &now);
        snprintf(text, sizeof text, "%ld.%09ld\n", (long)now.tv_sec, now.tv_nsec);
        reply_text(fd, "200 OK", text);
    } else if (strcmp(path, "/time") == 0) {
        struct timespec wall, steady;
        char text[96];
        clock_gettime(CLOCK_REALTIME, &wall);
        clock_gettime(CLOCK_MONOTONIC, &steady);
        snprintf(text, sizeof text, "%ld.%09ld %ld.%09ld\n", (long)wall.tv_sec, wall.tv_nsec, (long)steady.tv_sec,
                 steady.tv_nsec);
        reply_text(fd, "200 OK", text);
    } else if (strcmp(path, "/bytes") == 0) {
        serve_bytes(fd, query);
    } else if (strcmp(path, "/write") == 0) {
        serve_write(fd, query);
    } else if (strcmp(path, "/read") == 0) {
        serve_read(fd, query);
    } else if (strcmp(path, "/poweroff") == 0) {
        act_after_reply(fd, RB_POWER_OFF);
    } else if (strcmp(path, "/reboot") == 0) {
        act_after_reply(fd, RB_AUTOBOOT);
    } else if (strcmp(path, "/panic") == 0) {
        act_after_reply(fd, 0);
    } else {
        reply_text(fd, "404 Not Found", "no such page\n");
    }
}

static void serve_echo(int fd)
{
    char buffer[LINE];
    size_t used = 0;
    for (;;) {
        ssize_t n = read(fd, buffer + used, sizeof buffer - used);
        if (n <= 0)
            return;
        used += (size_t)n;
        char *end = memrchr(buffer, '\n', used);
        size_t whole = end != NULL ? (size_t)(end - buffer) + 1 : used == sizeof buffer ? used : 0;
        send_all(fd, buffer, whole);
        memmove(buffer, buffer + whole, used - whole);
        used -= whole;
    }
}

static int listen_on(int port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port)};
    int on = 1, off = 0;
    int server = socket(AF_INET6, SOCK_STREAM, 0);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(server, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(server, (struct sockaddr *)&address, sizeof address) != 0 || listen(server, 128) != 0) {
        perror("guestd: listen");
        exit(1);
    }
    return server;
}

static void accept_forever(int server, void (*serve)(int))
{
    int on = 1;
    if (fork() != 0)
        return;
    for (;;) {
        int fd = accept(server, NULL, NULL);
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (fork() == 0) {
            close(server);
            serve(fd);
            shutdown(fd, SHUT_WR);
            _exit(0);
        }
        close(fd);
    }
}

/* Returns to init as soon as both ports listen. */
int main(void)
{
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    int http = listen_on(80), echo = listen_on(7);
    accept_forever(http, serve_http);
    accept_forever(echo, serve_echo);
    return 0;
}
