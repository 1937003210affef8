import { Nullable, type Static, StringMap, Strings, Type } from './schema.ts'

export const Volume = Type.Object({
  CreatedAt: Type.Optional(Type.String()),
  Driver: Type.String(),
  Labels: Nullable(StringMap()),
  Mountpoint: Type.String(),
  Name: Type.String(),
  Options: Nullable(StringMap()),
  Scope: Type.String(),
  /** Only in `system df`. */
  UsageData: Type.Optional(Type.Object({ RefCount: Type.Integer(), Size: Type.Integer() })),
})
export type Volume = Static<typeof Volume>

export const VolumeCreate = Type.Partial({
  /** Empty: 64 hex characters are chosen and the volume is anonymous. */
  Name: Type.String(),
  Driver: Type.String(),
  DriverOpts: StringMap(),
  Labels: StringMap(),
})
export type VolumeCreate = Static<typeof VolumeCreate>

export const VolumeList = Type.Object({
  Volumes: Type.Array(Volume),
  Warnings: Nullable(Strings()),
})
export type VolumeList = Static<typeof VolumeList>

export const VolumesPruned = Type.Object({
  VolumesDeleted: Nullable(Strings()),
  SpaceReclaimed: Type.Integer(),
})
export type VolumesPruned = Static<typeof VolumesPruned>
