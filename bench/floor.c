/*
 * The floor: only the kernel's part of `run --rm busybox true`, with nothing around it. Namespaces, overlay, /proc, /dev,
 * /sys, devpts, shm, mqueue, pivot_root, one cgroup per v1 hierarchy (or one v2 cgroup), a veth pair on a bridge, exec, wait, remove.
 *
 *   floor ROOTFS WORKDIR RUNS [BRIDGE [CLIENTS]]     prints the milliseconds of each run, one per line; with CLIENTS, that many
 *                                                    side by side, the milliseconds and the CPU milliseconds of all together
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MUST(call) do { if ((call) < 0) { perror(#call); _exit(99); } } while (0)

static char cgroups[32][256];
static int cgroup_count;
static char cgroup_name[32];

/* Every cgroup mount of this machine, from /proc/self/mountinfo. */
static void find_cgroups(void)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char line[4096], where[256];
    while (file && fgets(line, sizeof line, file)) {
        if (!strstr(line, " - cgroup") || sscanf(line, "%*s %*s %*s %*s %255s", where) != 1)
            continue;
        if (cgroup_count < 32)
            snprintf(cgroups[cgroup_count++], 256, "%s", where);
    }
    if (file)
        fclose(file);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (write(fd, text, strlen(text)) < 0) { /* a controller that refuses is not the floor's matter */ }
        close(fd);
    }
}

static void copy_from_parent(const char *dir, const char *name)
{
    char path[400], value[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, value, sizeof value - 1);
    close(fd);
    if (n <= 0)
        return;
    value[n] = 0;
    snprintf(path, sizeof path, "%s/%s/%s", dir, cgroup_name, name);
    write_file(path, value);
}

struct request { struct nlmsghdr header; struct ifinfomsg info; char attributes[512]; };

static struct rtattr *add(struct request *r, unsigned short type, const void *data, size_t size)
{
    struct rtattr *a = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->header.nlmsg_len));
    a->rta_type = type;
    a->rta_len = (unsigned short)RTA_LENGTH(size);
    if (size)
        memcpy(RTA_DATA(a), data, size);
    r->header.nlmsg_len = (unsigned)(NLMSG_ALIGN(r->header.nlmsg_len) + RTA_ALIGN(a->rta_len));
    return a;
}

static void end(struct request *r, struct rtattr *a)
{
    a->rta_len = (unsigned short)((char *)r + r->header.nlmsg_len - (char *)a);
}

static void veth(pid_t pid, const char *bridge)
{
    struct request r = { .header = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)), .nlmsg_type = RTM_NEWLINK,
                                     .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL },
                         .info = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP } };
    char name[16]; /* unique: the kernel removes the pair of the run before some time after its exit */
    snprintf(name, sizeof name, "vf%d", pid);
    unsigned master = if_nametoindex(bridge);
    struct ifinfomsg peer = { .ifi_index = 2 };
    add(&r, IFLA_IFNAME, name, strlen(name) + 1);
    add(&r, IFLA_MASTER, &master, 4);
    struct rtattr *link = add(&r, IFLA_LINKINFO, NULL, 0);
    add(&r, IFLA_INFO_KIND, "veth", 4);
    struct rtattr *data = add(&r, IFLA_INFO_DATA, NULL, 0);
    struct rtattr *info = add(&r, VETH_INFO_PEER, &peer, sizeof peer);
    add(&r, IFLA_IFNAME, "eth0", 5);
    add(&r, IFLA_NET_NS_PID, &pid, 4);
    end(&r, info), end(&r, data), end(&r, link);
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    MUST(fd);
    MUST(send(fd, &r, r.header.nlmsg_len, 0));
    char answer[1024];
    MUST(recv(fd, answer, sizeof answer, 0));
    struct nlmsgerr *e = NLMSG_DATA((struct nlmsghdr *)answer);
    if (e->error)
        fprintf(stderr, "veth: %s\n", strerror(-e->error));
    close(fd);
}

static int child(const char *rootfs, const char *work, int go)
{
    char byte, data[2048], path[512];
    MUST(mount("", "/", NULL, MS_PRIVATE | MS_REC, NULL));
    snprintf(data, sizeof data, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work", rootfs, work, work);
    snprintf(path, sizeof path, "%s/merged", work);
    MUST(mount("overlay", path, "overlay", 0, data));
    MUST(chdir(path));
    mkdir("proc", 0755), mkdir("dev", 0755), mkdir("sys", 0755);
    MUST(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
    MUST(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=65536k"));
    mkdir("dev/pts", 0755), mkdir("dev/shm", 0755), mkdir("dev/mqueue", 0755);
    MUST(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"));
    MUST(mount("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k"));
    MUST(mount("mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
    if (read(go, &byte, 1) < 0) /* the parent has put us into cgroup and network */
        _exit(98);
    MUST(mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL));
    static const struct { const char *name; int minor; } nodes[] = { { "dev/null", 3 }, { "dev/zero", 5 }, { "dev/full", 7 }, { "dev/random", 8 }, { "dev/urandom", 9 } };
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        MUST(mknod(nodes[i].name, S_IFCHR | 0666, makedev(1, (unsigned)nodes[i].minor)));
    MUST(syscall(SYS_pivot_root, ".", "."));
    MUST(umount2(".", MNT_DETACH));
    MUST(chdir("/"));
    MUST(sethostname("floor", 5));
    execl("/bin/true", "true", NULL);
    _exit(127);
}

static void remove_tree(const char *work)
{
    char command[512];
    snprintf(command, sizeof command, "%s/work/work", work);
    rmdir(command);
}

static double ms_between(const struct timespec *a, const struct timespec *b)
{
    return (double)(b->tv_sec - a->tv_sec) * 1e3 + (double)(b->tv_nsec - a->tv_nsec) / 1e6;
}

/* The runs of one client, one after the other. */
static void run(const char *rootfs, const char *work, int runs, const char *bridge, int is_quiet)
{
    char path[1024];
    const char *names[] = { "", "upper", "work", "merged" };
    snprintf(cgroup_name, sizeof cgroup_name, "floor-%d", getpid());
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", work, names[i]);
        mkdir(path, 0755);
    }
    for (int n = 0; n < runs; n++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (int i = 0; i < cgroup_count; i++) {
            snprintf(path, sizeof path, "%.255s/%.31s", cgroups[i], cgroup_name);
            mkdir(path, 0755);
            copy_from_parent(cgroups[i], "cpuset.cpus");
            copy_from_parent(cgroups[i], "cpuset.mems");
        }
        int go[2];
        MUST(pipe2(go, O_CLOEXEC));
        struct clone_args args = { .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET, .exit_signal = SIGCHLD };
        pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
        MUST(pid);
        if (pid == 0) {
            close(go[1]);
            child(rootfs, work, go[0]);
        }
        if (bridge)
            veth(pid, bridge);
        MUST(write(go[1], "x", 1));
        int status;
        MUST(waitpid(pid, &status, 0));
        if (status)
            fprintf(stderr, "status %x\n", (unsigned)status);
        close(go[0]), close(go[1]);
        for (int i = 0; i < cgroup_count; i++) {
            snprintf(path, sizeof path, "%.255s/%.31s", cgroups[i], cgroup_name);
            for (int try = 0; rmdir(path) < 0 && errno == EBUSY && try < 1000; try++)
                usleep(100);
        }
        remove_tree(work);
        clock_gettime(CLOCK_MONOTONIC, &b);
        if (!is_quiet)
            printf("%.3f\n", ms_between(&a, &b));
    }
}

static double cpu_ms(void)
{
    double ms = 0;
    for (int who = 0; who < 2; who++) {
        struct rusage usage;
        getrusage(who ? RUSAGE_CHILDREN : RUSAGE_SELF, &usage);
        ms += (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
    }
    return ms;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: floor ROOTFS WORKDIR RUNS [BRIDGE [CLIENTS]]\n");
        return 2;
    }
    const char *bridge = argc > 4 && argv[4][0] ? argv[4] : NULL;
    find_cgroups();
    if (argc < 6) {
        run(argv[1], argv[2], atoi(argv[3]), bridge, 0);
        return 0;
    }
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < atoi(argv[5]); i++) {
        char work[512];
        snprintf(work, sizeof work, "%s/%d", argv[2], i);
        if (fork() == 0) {
            run(argv[1], work, atoi(argv[3]), bridge, 1);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        ;
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%.3f %.3f\n", ms_between(&a, &b), cpu_ms());
    return 0;
}
