import type { CpusetFacts, HostFacts } from '@ctr/linux'
import type { RuntimeProcess, RuntimeSpec } from '@ctr/oci'
import type { Op } from '../ops.ts'

/**
 * What a plan is made from. Everything that is true of the host, and not of the container, is in HostFacts; everything
 * that has to be looked up (users in /etc/passwd, device numbers, paths of namespaces) is already in the spec: the plan
 * is a pure function.
 */
export type { HostFacts }

/** The container's root filesystem, mounted at `mountpoint` inside the container's own mount namespace. */
export type RootFilesystem =
  | {
      readonly kind: 'overlay'
      /** Relative paths below are relative to it; it becomes the current directory for the mount. */
      readonly base: string
      /** Top layer first. */
      readonly lower: readonly string[]
      /** Empty with an empty `work`: a read-only overlay of at least two lower directories. */
      readonly upper: string
      readonly work: string
      /** It need not outlive a power cut: no fsync or unmount waits for the disk. overlayfs.rst, "Volatile mount" */
      readonly isVolatile?: boolean | undefined
      readonly mountpoint: string
      readonly isIdMapped?: boolean | undefined
    }
  | {
      readonly kind: 'directory'
      readonly path: string
      readonly mountpoint: string
      /** The files have the ids that the container sees, not those of its user namespace's map. */
      readonly isIdMapped?: boolean | undefined
    }

export interface LogTarget {
  readonly path: string
  /** 0: never rotated. */
  readonly maxBytes: number
  readonly maxFiles: number
  readonly compress: boolean
  /** JSON text appended inside each record, e.g. `,"attrs":{"a":"b"}`; may be empty. */
  readonly extra: string
}

export interface Stdio {
  readonly stdin: boolean
  readonly tty: boolean
  readonly stdinOnce: boolean
  /** Output that comes to the starter among the frames of its connection; not for a terminal. */
  readonly toStarter?: { readonly stdout: boolean; readonly stderr: boolean } | undefined
  /** 0: not known. */
  readonly rows: number
  readonly columns: number
}

export interface NetworkPlan {
  /** After clone, on the host: netlink messages with a pid_offset. */
  readonly hostOps: readonly Op[]
  /** In the container's network namespace, before the root filesystem is made. */
  readonly childOps: readonly Op[]
  readonly forwards: readonly Op[]
}

/** For `ctr-shim run` instead of a runtime directory: the process belongs to the caller in the end. */
export interface Handover {
  /** The shim stays until the process ends. */
  readonly isForeground: boolean
  readonly preserveFds: number
  /** Where the terminal's master goes; undefined in the foreground: to the caller's own terminal. */
  readonly consoleSocket?: string | undefined
  /** Who gets the process's pidfd. */
  readonly pidfdSocket?: string | undefined
  /** FIFO that the process waits at before its execve. */
  readonly execFifo?: string | undefined
  /** Stop for the caller when everything is mounted, before the root is changed (prestart, createRuntime, createContainer). */
  readonly pauseForHooks?: boolean | undefined
  /** Inherit the caller's session keyring. */
  readonly noNewKeyring?: boolean | undefined
}

export interface StartInput {
  readonly spec: RuntimeSpec
  readonly containerId: string
  readonly runtimeDir: string
  /** Then `runtimeDir`, `log`, `expectAttach` and `waitForStart` do not apply. */
  readonly handover?: Handover | undefined
  readonly rootfs: RootFilesystem
  /** Absent: output is not logged. */
  readonly log: LogTarget | undefined
  readonly stdio: Stdio
  readonly expectAttach: number
  /** OCI create: everything is made, the user's program runs after a START request. */
  readonly waitForStart: boolean
  /** From SeccompFilters of @ctr/linux. */
  readonly seccompFilter: Uint8Array | undefined
  readonly network: NetworkPlan
  /** `/ctr`: the container's cgroup is `<hierarchy>/ctr/<id>` unless spec.linux.cgroupsPath says otherwise. */
  readonly cgroupParent: string
  /** The parent's cpuset, from prepareCgroupParent() of @ctr/linux. Absent: the parents get the host's values. */
  readonly cpuset?: CpusetFacts | undefined
  /** File `tasks` of a group of the resctrl filesystem, which exists. */
  readonly resctrlTasks?: string | undefined
  /** When everything is mounted, before the change of root: files and mounts of the engine's own (secrets). */
  readonly afterMounts?: readonly Op[] | undefined
  /** `--init`: host path of ctr-init, bound at /sbin/docker-init and put before the arguments. */
  readonly initBinary?: string | undefined
}

/** How criu is called by a restore program; the stdio and the network come from `StartInput`. */
export interface RestoreInput {
  /** criu's path and arguments, but for those that name files made by the program. */
  readonly args: readonly string[]
  readonly env: readonly string[]
  /** criu writes the process's pid there; in a directory of the container's own. */
  readonly pidFile: string
  /** For a terminal: what criu is asked on its socket, instead of arguments. */
  readonly request?:
    | ((files: { readonly root: string; readonly external: readonly string[] }) => Uint8Array)
    | undefined
  /** Mounts that criu was told to leave out, by their paths in the container, which are also their keys in the images. */
  readonly mounts: readonly string[]
  /** Operations for when the process is back, e.g. the network's: nothing reaches its sockets before. */
  readonly afterwards: readonly Op[]
}

export interface ExecInput {
  readonly containerId: string
  readonly containerPid: number
  readonly containerStartTime: bigint
  /** The container's: namespaces, cgroup. */
  readonly spec: RuntimeSpec
  readonly process: RuntimeProcess
  /** What runs under the name `process.args[0]`; absent: that. */
  readonly program?: string | undefined
  readonly runtimeDir: string
  readonly handover?: Handover | undefined
  readonly stdio: Stdio
  readonly expectAttach: number
  readonly seccompFilter: Uint8Array | undefined
  readonly cgroupParent: string
  /** As in StartInput. */
  readonly resctrlTasks?: string | undefined
  /** Other cgroups than the container's, by controller (v1). */
  readonly controllerCgroups?: ReadonlyMap<string, string> | undefined
}
