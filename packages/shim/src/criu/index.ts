/** What is known of criu: where it is, how it is called, what it says. */
export { type Criu, criuEnvironment, findCriu, restoreHint } from './binary.ts'
export {
  type Descriptors,
  loadDescriptors,
  readDescriptors,
  readShimPipes,
  saveDescriptors,
} from './descriptors.ts'
export { dump, readCriuErrors, restoreArguments } from './dump.ts'
export { readExternalMounts } from './external-mounts.ts'
export { type PageServer, parsePageServer } from './page-server.ts'
export { encodeRestore } from './protocol.ts'
export type { CriuOptions, DumpRequest, RestoreRequest } from './requests.ts'
export { loadMounts, saveMounts } from './saved-mounts.ts'
