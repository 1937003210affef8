import { Nullable, type Static, StringMap, Strings, Type } from './schema.ts'

const EndpointIPAMConfig = Type.Partial({
  IPv4Address: Type.String(),
  IPv6Address: Type.String(),
  LinkLocalIPs: Strings(),
})
export type EndpointIPAMConfig = Static<typeof EndpointIPAMConfig>

/** What a user asks of an endpoint; the other fields are accepted (clients echo an inspect) and ignored. */
export const EndpointConfig = Type.Partial({
  IPAMConfig: EndpointIPAMConfig,
  Links: Strings(),
  Aliases: Strings(),
  MacAddress: Type.String(),
  DriverOpts: StringMap(),
  GwPriority: Type.Integer(),
  NetworkID: Type.String(),
})
export type EndpointConfig = Static<typeof EndpointConfig>

export const NetworkingConfig = Type.Partial({
  /** Network name or id → endpoint. */
  EndpointsConfig: Type.PointerMap(EndpointConfig),
})
export type NetworkingConfig = Static<typeof NetworkingConfig>

/** An endpoint as inspect shows it. */
export const EndpointSettings = Type.Object({
  IPAMConfig: Nullable(EndpointIPAMConfig),
  Links: Nullable(Strings()),
  Aliases: Nullable(Strings()),
  MacAddress: Type.String(),
  DriverOpts: Nullable(StringMap()),
  /** Since v1.48. */
  GwPriority: Type.Optional(Type.Integer()),
  NetworkID: Type.String(),
  EndpointID: Type.String(),
  Gateway: Type.String(),
  IPAddress: Type.String(),
  IPPrefixLen: Type.Integer(),
  IPv6Gateway: Type.String(),
  GlobalIPv6Address: Type.String(),
  GlobalIPv6PrefixLen: Type.Integer(),
  /** Since v1.44. */
  DNSNames: Type.Optional(Nullable(Strings())),
})
export type EndpointSettings = Static<typeof EndpointSettings>
