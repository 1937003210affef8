/** Types of the OCI image-spec (v1.1) and of Docker's distribution manifests (schema 2), which differ in media types only. */
export const MEDIA_TYPE = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const

export interface Platform {
  architecture: string
  os: string
  variant?: string | undefined
  'os.version'?: string | undefined
  'os.features'?: string[] | undefined
}

export interface Descriptor {
  mediaType: string
  digest: string
  size: number
  urls?: string[] | undefined
  annotations?: Record<string, string> | undefined
  platform?: Platform | undefined
  artifactType?: string | undefined
}

export interface ImageIndex {
  schemaVersion: 2
  mediaType?: string | undefined
  manifests: Descriptor[]
  annotations?: Record<string, string> | undefined
}

export interface ImageManifest {
  schemaVersion: 2
  mediaType?: string | undefined
  config: Descriptor
  layers: Descriptor[]
  annotations?: Record<string, string> | undefined
}

/** The image config: its digest is the image's id in Docker. */
export interface ImageConfig {
  created?: string | undefined
  author?: string | undefined
  architecture: string
  os: string
  variant?: string | undefined
  'os.version'?: string | undefined
  config?: ImageExecConfig | undefined
  rootfs: { type: 'layers'; diff_ids: string[] }
  history?: ImageHistoryItem[] | undefined
}

/** What a container takes over from its image. Field names as in the JSON. */
export interface ImageExecConfig {
  User?: string | undefined
  ExposedPorts?: Record<string, object> | undefined
  Env?: string[] | undefined
  Entrypoint?: string[] | null | undefined
  Cmd?: string[] | null | undefined
  Volumes?: Record<string, object> | null | undefined
  WorkingDir?: string | undefined
  Labels?: Record<string, string> | null | undefined
  StopSignal?: string | undefined
  Healthcheck?: ImageHealthcheck | undefined
  Shell?: string[] | null | undefined
  OnBuild?: string[] | null | undefined
  ArgsEscaped?: boolean | undefined
}

/** Times in nanoseconds, as Docker writes them. */
export interface ImageHealthcheck {
  Test?: string[] | undefined
  Interval?: number | undefined
  Timeout?: number | undefined
  StartPeriod?: number | undefined
  StartInterval?: number | undefined
  Retries?: number | undefined
}

export interface ImageHistoryItem {
  created?: string | undefined
  created_by?: string | undefined
  author?: string | undefined
  comment?: string | undefined
  empty_layer?: boolean | undefined
}
