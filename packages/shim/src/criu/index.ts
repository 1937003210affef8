/** What is known of criu: where it is, how it is called, what it says. */
export { type Criu, criuEnvironment, findCriu } from './binary.ts'
export {
  type Descriptors,
  loadDescriptors,
  readDescriptors,
  readShimPipes,
  saveDescriptors,
} from './descriptors.ts'
export {
  type CriuOptions,
  type DumpRequest,
  dump,
  type RestoreRequest,
  readCriuErrors,
  restoreArguments,
} from './dump.ts'
export { readExternalMounts } from './external-mounts.ts'
export { loadMounts, saveMounts } from './saved-mounts.ts'
