import { ContainerConfig } from './container-config.ts'
import { Nullable, type Static, StringMap, Strings, Type } from './schema.ts'

export const ImageSummary = Type.Object({
  Id: Type.String(),
  ParentId: Type.String(),
  RepoTags: Nullable(Strings()),
  RepoDigests: Nullable(Strings()),
  /** Unix seconds. */
  Created: Type.Integer(),
  Size: Type.Integer(),
  /** -1: not computed. */
  SharedSize: Type.Integer(),
  /** Until v1.43. */
  VirtualSize: Type.Optional(Type.Integer()),
  Labels: Nullable(StringMap()),
  /** -1: not computed. */
  Containers: Type.Integer(),
  /** With `manifests`, of daemons whose store has those of several platforms. Since v1.47; not of ours. */
  Manifests: Type.Optional(
    Type.Array(
      Type.Object({
        ID: Type.String(),
        Kind: Type.String(),
        Size: Type.Object({ Total: Type.Integer(), Content: Type.Integer() }),
        ImageData: Type.Optional(
          Type.Object({
            Platform: Type.Optional(
              Type.Object({
                os: Type.Optional(Type.String()),
                architecture: Type.Optional(Type.String()),
                variant: Type.Optional(Type.String()),
              }),
            ),
            Containers: Type.Optional(Type.Array(Type.String())),
          }),
        ),
      }),
    ),
  ),
})
export type ImageSummary = Static<typeof ImageSummary>

export const ImageInspect = Type.Object({
  Id: Type.String(),
  RepoTags: Strings(),
  RepoDigests: Strings(),
  Parent: Type.String(),
  Comment: Type.String(),
  Created: Type.Optional(Type.String()),
  /** Until v1.44. */
  Container: Type.Optional(Type.String()),
  ContainerConfig: Type.Optional(ContainerConfig),
  DockerVersion: Type.String(),
  Author: Type.String(),
  Config: Nullable(ContainerConfig),
  Architecture: Type.String(),
  Variant: Type.Optional(Type.String()),
  Os: Type.String(),
  OsVersion: Type.Optional(Type.String()),
  Size: Type.Integer(),
  /** Until v1.43. */
  VirtualSize: Type.Optional(Type.Integer()),
  GraphDriver: Type.Object({ Data: Nullable(StringMap()), Name: Type.String() }),
  RootFS: Type.Object({ Type: Type.String(), Layers: Type.Optional(Strings()) }),
  Metadata: Type.Object({ LastTagTime: Type.String() }),
})
export type ImageInspect = Static<typeof ImageInspect>

export const HistoryItem = Type.Object({
  /** Image id, or `<missing>`. */
  Id: Type.String(),
  /** Unix seconds. */
  Created: Type.Integer(),
  CreatedBy: Type.String(),
  Tags: Nullable(Strings()),
  Size: Type.Integer(),
  Comment: Type.String(),
})
export type HistoryItem = Static<typeof HistoryItem>

export const ImageDeleted = Type.Object({
  Untagged: Type.Optional(Type.String()),
  Deleted: Type.Optional(Type.String()),
})
export type ImageDeleted = Static<typeof ImageDeleted>

export const ImagesPruned = Type.Object({
  ImagesDeleted: Nullable(Type.Array(ImageDeleted)),
  SpaceReclaimed: Type.Integer(),
})
export type ImagesPruned = Static<typeof ImagesPruned>

/** `X-Registry-Auth`: base64url of this as JSON. */
export const AuthConfig = Type.Partial({
  username: Type.String(),
  password: Type.String(),
  auth: Type.String(),
  email: Type.String(),
  serveraddress: Type.String(),
  identitytoken: Type.String(),
  registrytoken: Type.String(),
})
export type AuthConfig = Static<typeof AuthConfig>

export const AuthResponse = Type.Object({
  Status: Type.String(),
  IdentityToken: Type.String(),
})
export type AuthResponse = Static<typeof AuthResponse>

export const DistributionInspect = Type.Object({
  Descriptor: Type.Object({
    mediaType: Type.String(),
    digest: Type.String(),
    size: Type.Integer(),
  }),
  Platforms: Type.Array(
    Type.Object({
      architecture: Type.String(),
      os: Type.String(),
      'os.version': Type.Optional(Type.String()),
      variant: Type.Optional(Type.String()),
    }),
  ),
})
export type DistributionInspect = Static<typeof DistributionInspect>

export const ImageSearchResult = Type.Object({
  star_count: Type.Integer(),
  is_official: Type.Boolean(),
  name: Type.String(),
  is_automated: Type.Boolean(),
  description: Type.String(),
})
export type ImageSearchResult = Static<typeof ImageSearchResult>
