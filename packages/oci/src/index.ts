export {
  CAPABILITIES,
  type Capability,
  capabilityMask,
  capabilityNumber,
  DEFAULT_CAPABILITIES,
  parseCapability,
  selectCapabilities,
} from './capabilities.ts'
export {
  DEFAULT_DEVICE_LINKS,
  DEFAULT_DEVICES,
  DEFAULT_PATH,
  DEFAULT_READONLY_PATHS,
  defaultDeviceRules,
  defaultMounts,
  defaultNamespaces,
  maskedPaths,
} from './defaults.ts'
export { chainIds, type Digest, digestHex, digestOf, isDigest, newId, shortId } from './digest.ts'
export { assertShallow, MAX_FOREIGN_JSON_BYTES, parseForeignJson } from './foreign-json.ts'
export {
  type Descriptor,
  type ImageConfig,
  type ImageExecConfig,
  type ImageHealthcheck,
  type ImageHistoryItem,
  type ImageIndex,
  type ImageManifest,
  MEDIA_TYPE,
  type Platform,
} from './image-spec.ts'
export {
  canonicalReference,
  DEFAULT_DOMAIN,
  familiarName,
  familiarReference,
  parseReference,
  type Reference,
  ReferenceError,
  repositoryOf,
  withDefaultTag,
} from './reference.ts'
export { isRlimitName, type RlimitName, rlimitNumber, rlimitValue } from './rlimits.ts'
export {
  NAMESPACE_TYPES,
  type NamespaceType,
  type RuntimeBlockIO,
  type RuntimeCapabilities,
  type RuntimeCpu,
  type RuntimeDevice,
  type RuntimeDeviceRule,
  type RuntimeHook,
  type RuntimeHooks,
  type RuntimeIdMapping,
  type RuntimeIntelRdt,
  type RuntimeLinux,
  type RuntimeMemory,
  type RuntimeMemoryPolicy,
  type RuntimeMount,
  type RuntimeNamespace,
  type RuntimeNetworkResources,
  type RuntimeProcess,
  type RuntimeResources,
  type RuntimeRlimit,
  type RuntimeRoot,
  type RuntimeScheduler,
  type RuntimeSeccomp,
  type RuntimeSpec,
  type RuntimeThrottleDevice,
  type RuntimeUser,
  type RuntimeWeightDevice,
  SECCOMP_ACTIONS,
  SECCOMP_OPERATORS,
  type SeccompAction,
  type SeccompArgument,
  type SeccompOperator,
  type SeccompRule,
} from './runtime-spec.ts'
export { defaultSeccomp } from './seccomp/default-profile.ts'
export {
  parseSeccompProfile,
  resolveSeccomp,
  type SeccompProfile,
  type SeccompSubject,
} from './seccomp/profile.ts'
export { parseSignal, signalName } from './signals.ts'
export { isIpcSysctl } from './sysctls.ts'
