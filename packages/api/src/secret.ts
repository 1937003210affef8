import { Nullable, type Static, StringMap, Type } from './schema.ts'

/** Docker's swarm.SecretSpec. */
export const SecretSpec = Type.Partial({
  Name: Type.String(),
  Labels: StringMap(),
  /** Base64; never in an answer. */
  Data: Type.String(),
})
export type SecretSpec = Static<typeof SecretSpec>

export const SecretCreated = Type.Object({ ID: Type.String() })
export type SecretCreated = Static<typeof SecretCreated>

export const Secret = Type.Object({
  ID: Type.String(),
  Version: Type.Object({ Index: Type.Integer() }),
  CreatedAt: Type.String(),
  UpdatedAt: Type.String(),
  Spec: Type.Object({ Name: Type.String(), Labels: Nullable(StringMap()) }),
})
export type Secret = Static<typeof Secret>
