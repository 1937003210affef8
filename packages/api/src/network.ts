import { EndpointConfig } from './network-config.ts'
import { Nullable, type Static, StringMap, Strings, Type } from './schema.ts'

export const IPAMPool = Type.Partial({
  Subnet: Type.String(),
  IPRange: Type.String(),
  Gateway: Type.String(),
  AuxiliaryAddresses: StringMap(),
})
export type IPAMPool = Static<typeof IPAMPool>

export const NetworkContainer = Type.Object({
  Name: Type.String(),
  EndpointID: Type.String(),
  MacAddress: Type.String(),
  /** With prefix length. */
  IPv4Address: Type.String(),
  IPv6Address: Type.String(),
})
export type NetworkContainer = Static<typeof NetworkContainer>

export const Network = Type.Object({
  Name: Type.String(),
  Id: Type.String(),
  Created: Type.String(),
  /** local. */
  Scope: Type.String(),
  Driver: Type.String(),
  /** Since v1.48. */
  EnableIPv4: Type.Optional(Type.Boolean()),
  EnableIPv6: Type.Boolean(),
  IPAM: Type.Object({
    Driver: Type.String(),
    Options: Nullable(StringMap()),
    Config: Nullable(Type.Array(IPAMPool)),
  }),
  Internal: Type.Boolean(),
  Attachable: Type.Boolean(),
  Ingress: Type.Boolean(),
  ConfigFrom: Type.Object({ Network: Type.String() }),
  ConfigOnly: Type.Boolean(),
  /** Empty in lists since v1.28. */
  Containers: Type.Map(NetworkContainer),
  Options: StringMap(),
  Labels: StringMap(),
})
export type Network = Static<typeof Network>

export const NetworkCreate = Type.Partial({
  Name: Type.String(),
  /** Ignored since v1.44: names are unique. */
  CheckDuplicate: Type.Boolean(),
  Driver: Type.String(),
  Scope: Type.String(),
  Internal: Type.Boolean(),
  Attachable: Type.Boolean(),
  Ingress: Type.Boolean(),
  ConfigOnly: Type.Boolean(),
  ConfigFrom: Type.Partial({ Network: Type.String() }),
  IPAM: Type.Partial({
    Driver: Type.String(),
    Config: Type.Array(IPAMPool),
    Options: StringMap(),
  }),
  EnableIPv4: Type.Boolean(),
  EnableIPv6: Type.Boolean(),
  Options: StringMap(),
  Labels: StringMap(),
})
export type NetworkCreate = Static<typeof NetworkCreate>

export const NetworkCreated = Type.Object({ Id: Type.String(), Warning: Type.String() })
export type NetworkCreated = Static<typeof NetworkCreated>

export const NetworkConnect = Type.Partial({ Container: Type.String(), EndpointConfig })
export type NetworkConnect = Static<typeof NetworkConnect>

export const NetworkDisconnect = Type.Partial({ Container: Type.String(), Force: Type.Boolean() })
export type NetworkDisconnect = Static<typeof NetworkDisconnect>

export const NetworksPruned = Type.Object({ NetworksDeleted: Nullable(Strings()) })
export type NetworksPruned = Static<typeof NetworksPruned>
