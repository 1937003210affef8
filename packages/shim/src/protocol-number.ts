/** Protocols of published ports, as the kernel numbers them. netinet/in.h */
const NUMBERS = { tcp: 6, udp: 17, sctp: 132 } as const

export type Protocol = keyof typeof NUMBERS

export function protocolNumber(protocol: Protocol): number {
  return NUMBERS[protocol]
}

export function protocolName(number: number): Protocol {
  return number === NUMBERS.udp ? 'udp' : number === NUMBERS.sctp ? 'sctp' : 'tcp'
}
