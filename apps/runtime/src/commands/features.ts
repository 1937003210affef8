import { CAPABILITIES, NAMESPACE_TYPES, SECCOMP_ACTIONS, SECCOMP_OPERATORS } from '@ctr/oci'
import { MEMORY_FLAGS, MEMORY_MODES, mountOptionWords } from '@ctr/shim'
import type { Command } from '../command.ts'
import { print } from '../output.ts'
import { SPEC_VERSION, VERSION } from '../version.ts'

/** runtime-spec features.md: what config.json may ask for. Sorted, as runc's. */
export const command: Command = {
  summary: 'show the enabled features',
  usage: '',
  flags: [],
  minArgs: 0,
  maxArgs: 0,
  run: () => {
    print(`${JSON.stringify(features(), null, 4)}\n`)
    return 0
  },
}

function features(): object {
  return {
    ociVersionMin: '1.0.0',
    ociVersionMax: SPEC_VERSION,
    hooks: [
      'prestart',
      'createRuntime',
      'createContainer',
      'startContainer',
      'poststart',
      'poststop',
    ],
    mountOptions: mountOptionWords(),
    linux: {
      namespaces: [...NAMESPACE_TYPES].sort(),
      capabilities: CAPABILITIES,
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: false, rdma: true },
      seccomp: {
        enabled: true,
        actions: SECCOMP_ACTIONS.filter((action) => action !== 'SCMP_ACT_NOTIFY').sort(),
        operators: [...SECCOMP_OPERATORS].sort(),
        archs: ARCHITECTURES,
        knownFlags: SECCOMP_FLAGS,
        supportedFlags: SECCOMP_FLAGS,
      },
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      memoryPolicy: { modes: MEMORY_MODES, flags: MEMORY_FLAGS },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: true },
    },
    annotations: {
      'io.ctr.runtime.version': VERSION,
      'org.opencontainers.runc.checkpoint.enabled': 'true',
    },
    potentiallyUnsafeConfigAnnotations: [],
  }
}

const SECCOMP_FLAGS = [
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
  'SECCOMP_FILTER_FLAG_TSYNC',
]

const ARCHITECTURES = [
  'SCMP_ARCH_AARCH64',
  'SCMP_ARCH_ARM',
  'SCMP_ARCH_X32',
  'SCMP_ARCH_X86',
  'SCMP_ARCH_X86_64',
]
