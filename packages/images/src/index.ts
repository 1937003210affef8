export type { ImportOptions } from './archive/import.ts'
export type { LoadOptions } from './archive/load.ts'
export type { Aside } from './aside.ts'
export { type BusyboxOptions, buildBusyboxImage } from './busybox.ts'
export { applyChanges } from './changes.ts'
export type { CommitOptions, LayerChanges } from './commit.ts'
/** Archives for those who read and write trees that are no layers: a container's filesystem. */
export { decompressSniffed } from './content/compression.ts'
export { FileInput } from './content/file-input.ts'
export type { Logger } from './deps.ts'
export { normalizePorts } from './expose.ts'
export type { HistoryItem } from './history.ts'
export type { Image, ImageSummary } from './image.ts'
export { type Images, type ImagesOptions, openImages } from './images.ts'
export { spareLayer } from './layer/container-layer.ts'
export type { ListOptions } from './list.ts'
export type { PullOptions } from './pull.ts'
export type { PushOptions } from './push.ts'
export { connectionError } from './registry/connection-error.ts'
export type { Distribution } from './registry/distribution.ts'
export type { RegistrySettings } from './registry/endpoint.ts'
export type { SearchResult } from './registry/search.ts'
export type { RemoveOptions } from './remove.ts'
export { SpreadPlaces } from './spread-places.ts'
export {
  type EntryType,
  fromText,
  type TarEntry,
  TarError,
  toPathBytes,
  toText,
} from './tar/format.ts'
export { type TarHandler, TarParser } from './tar/parser.ts'
export { encodeHeader, type NewEntry, paddingOf, TAR_END } from './tar/write.ts'
export { cleanPath, parentOf } from './unpack/clean-path.ts'
