import type { RuntimeSeccomp, SeccompArgument } from '../runtime-spec.ts'
import {
  resolveSeccomp,
  type SeccompCondition,
  type SeccompProfile,
  type SeccompProfileRule,
  type SeccompSubject,
} from './profile.ts'

/**
 * What Docker's current default profile allows: everything else fails with EPERM. Notably absent: io_uring, keyrings,
 * modules, namespaces, mounts, swap, kexec, userfaultfd. Grouped here by subject; order has no meaning.
 */
const ALLOWED = {
  files: `access cachestat chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat
    faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64
    fdatasync flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents
    getdents64 ioctl lchown lchown32 link linkat listmount _llseek lseek lstat lstat64 mkdir mkdirat mknod mknodat
    name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead
    readlink readlinkat readv rename renameat renameat2 rmdir sendfile sendfile64 splice stat stat64 statfs statfs64
    statmount statx symlink symlinkat sync sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime
    utimensat utimensat_time64 utimes vmsplice write writev`,
  extendedAttributes: `fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat
    llistxattr lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat`,
  events: `epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd
    eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
    io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit _newselect pipe pipe2 poll ppoll ppoll_time64
    pselect6 pselect6_time64 select signalfd signalfd4 timerfd_create timerfd_gettime timerfd_gettime64
    timerfd_settime timerfd_settime64`,
  memory: `brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2
    mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease
    remap_file_pages`,
  processes: `capget capset execve execveat exit exit_group fork getcpu getegid getegid32 geteuid geteuid32 getgid
    getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid
    getresuid32 getrlimit get_robust_list getrusage getsid get_thread_area gettid getuid getuid32 ioprio_get ioprio_set
    pidfd_open prctl prlimit64 rseq sched_getaffinity sched_getattr sched_getparam sched_get_priority_max
    sched_get_priority_min sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity
    sched_setattr sched_setparam sched_setscheduler sched_yield setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
    setgroups setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid
    setreuid32 setrlimit set_robust_list setsid set_thread_area set_tid_address setuid setuid32 sysinfo ugetrlimit uname
    vfork wait4 waitid waitpid`,
  sandboxes: 'landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp',
  signals: `alarm kill pause pidfd_send_signal restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
    rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask
    sigreturn tgkill tkill`,
  sockets: `accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg
    recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair`,
  synchronization: `futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake ipc mq_getsetattr mq_notify
    mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv
    msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget`,
  time: `adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
    clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete
    timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 times`,
  rest: 'getrandom riscv_hwprobe uretprobe',
} as const

/** Allowed in addition, by a capability of the bounding set. */
const ALLOWED_BY_CAPABILITY: Readonly<Record<string, string>> = {
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_SYS_ADMIN: `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
    lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd
    setdomainname sethostname setns syslog umount umount2 unshare`,
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_CHROOT: 'chroot',
  CAP_SYS_MODULE: 'delete_module init_module finit_module',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace',
  CAP_SYS_RAWIO: 'iopl ioperm',
  CAP_SYS_TIME: 'settimeofday stime clock_settime clock_settime64',
  CAP_SYS_TTY_CONFIG: 'vhangup',
  CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node',
  CAP_SYSLOG: 'syslog',
  CAP_BPF: 'bpf',
  CAP_PERFMON: 'perf_event_open',
}

const ALLOWED_BY_ARCHITECTURE: readonly (readonly [arches: readonly string[], names: string])[] = [
  [['ppc64le'], 'sync_file_range2 swapcontext'],
  [
    ['arm', 'arm64'],
    'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls',
  ],
  [['amd64', 'x32'], 'arch_prctl'],
  [['amd64', 'x32', 'x86'], 'modify_ldt'],
  [['s390', 's390x'], 's390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr'],
  [['riscv64'], 'riscv_flush_icache'],
]

const SUB_ARCHITECTURES = {
  SCMP_ARCH_X86_64: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  SCMP_ARCH_AARCH64: ['SCMP_ARCH_ARM'],
  SCMP_ARCH_MIPS64: ['SCMP_ARCH_MIPS', 'SCMP_ARCH_MIPS64N32'],
  SCMP_ARCH_MIPS64N32: ['SCMP_ARCH_MIPS', 'SCMP_ARCH_MIPS64'],
  SCMP_ARCH_MIPSEL64: ['SCMP_ARCH_MIPSEL', 'SCMP_ARCH_MIPSEL64N32'],
  SCMP_ARCH_MIPSEL64N32: ['SCMP_ARCH_MIPSEL', 'SCMP_ARCH_MIPSEL64'],
  SCMP_ARCH_S390X: ['SCMP_ARCH_S390'],
  SCMP_ARCH_RISCV64: [],
  SCMP_ARCH_LOONGARCH64: [],
} as const

/**
 * Address families that socket(2) may use: all below 12, and these. Left out are the retired ones, AF_ALG (38: kernel
 * crypto, a wide attack surface) and AF_VSOCK (40: knows no network namespaces). bits/socket.h
 */
const FAMILIES_BELOW = 12
const FAMILIES = [
  13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44,
  45,
]

/** Linux, Linux32, and these with UNAME26; and the query of the present one. personality(2) */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff]

/** CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}: without CAP_SYS_ADMIN a process makes no namespaces. clone(2) */
const NAMESPACE_FLAGS = 0x7e020000
const ENOSYS = 38
const EPERM = 1

export const DEFAULT_SECCOMP_PROFILE: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: EPERM,
  archMap: Object.entries(SUB_ARCHITECTURES).map(([architecture, subArchitectures]) => ({
    architecture,
    subArchitectures,
  })),
  syscalls: [
    ...Object.values(ALLOWED).map((names) => allow(names)),
    // Safe since ptrace can no longer be used to get round seccomp.
    allow('process_vm_readv process_vm_writev ptrace', { includes: { minKernel: '4.8' } }),
    allowIf('socket', 'SCMP_CMP_LT', FAMILIES_BELOW),
    ...FAMILIES.map((family) => allowIf('socket', 'SCMP_CMP_EQ', family)),
    ...PERSONALITIES.map((persona) => allowIf('personality', 'SCMP_CMP_EQ', persona)),
    ...ALLOWED_BY_ARCHITECTURE.map(([arches, names]) => allow(names, { includes: { arches } })),
    ...Object.entries(ALLOWED_BY_CAPABILITY).map(([cap, names]) =>
      allow(names, { includes: { caps: [cap] } }),
    ),
    cloneWithoutNamespaces(0, {
      excludes: { caps: ['CAP_SYS_ADMIN'], arches: ['s390', 's390x'] },
    }),
    // clone's flags are the second argument there.
    cloneWithoutNamespaces(1, {
      includes: { arches: ['s390', 's390x'] },
      excludes: { caps: ['CAP_SYS_ADMIN'] },
    }),
    // clone3's flags are behind a pointer, where no filter can look. ENOSYS makes libc fall back to clone.
    {
      names: ['clone3'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: ENOSYS,
      excludes: { caps: ['CAP_SYS_ADMIN'] },
    },
  ],
}

/** By what decides it: hardly any two containers differ. Shared: nobody changes it. */
const resolved = new Map<string, RuntimeSeccomp>()
const RESOLVED_MAX = 32

/** The default profile for one container. */
export function defaultSeccomp(subject: SeccompSubject): RuntimeSeccomp {
  const { arch, kernel, capabilities } = subject
  const key = `${arch} ${kernel.major}.${kernel.minor} ${capabilities.join()}`
  let profile = resolved.get(key)
  if (profile === undefined) {
    profile = resolveSeccomp(DEFAULT_SECCOMP_PROFILE, subject)
    if (resolved.size >= RESOLVED_MAX) resolved.clear()
    resolved.set(key, profile)
  }
  return profile
}

interface Conditions {
  readonly includes?: SeccompCondition
  readonly excludes?: SeccompCondition
}

function allow(names: string, conditions: Conditions = {}): SeccompProfileRule {
  return { names: names.split(/\s+/), action: 'SCMP_ACT_ALLOW', ...conditions }
}

function allowIf(name: string, op: SeccompArgument['op'], value: number): SeccompProfileRule {
  return { names: [name], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value, op }] }
}

function cloneWithoutNamespaces(index: number, conditions: Conditions): SeccompProfileRule {
  return {
    names: ['clone'],
    action: 'SCMP_ACT_ALLOW',
    args: [{ index, value: NAMESPACE_FLAGS, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
    ...conditions,
  }
}
