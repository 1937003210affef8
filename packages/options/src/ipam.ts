import { BlockList, isIP } from 'node:net'
import type { IPAMPool } from '@ctr/api'

/** Sorts `--ip-range`, `--gateway` and `--aux-address` to the `--subnet` that contains them (docker/cli network/create.go). */
export function ipamPools(options: {
  readonly subnets: readonly string[]
  readonly ranges: readonly string[]
  readonly gateways: readonly string[]
  readonly auxiliary: Readonly<Record<string, string>>
}): IPAMPool[] {
  const { subnets, ranges, gateways, auxiliary } = options
  if (subnets.length < ranges.length || subnets.length < gateways.length) {
    throw new Error('every ip-range or gateway must have a corresponding subnet')
  }
  const pools = subnets.map((subnet) => ({ subnet, pool: { Subnet: subnet } as MutablePool }))
  for (const [index, { subnet }] of pools.entries()) {
    const overlaps = pools.some(
      (other, at) => at < index && contains(other.subnet, addressOf(subnet)),
    )
    if (overlaps) throw new Error('multiple overlapping subnet configuration is not supported')
  }
  const poolOf = (address: string): MutablePool | undefined =>
    pools.find(({ subnet }) => contains(subnet, address))?.pool
  for (const range of ranges) {
    const pool = poolOf(addressOf(range))
    if (pool === undefined) throw new Error(`no matching subnet for range ${range}`)
    if (pool.IPRange !== undefined)
      throw new Error(
        `cannot configure multiple ranges (${range}, ${pool.IPRange}) on the same subnet`,
      )
    pool.IPRange = range
  }
  for (const gateway of gateways) {
    const pool = poolOf(gateway)
    if (pool === undefined) throw new Error(`no matching subnet for gateway ${gateway}`)
    if (pool.Gateway !== undefined)
      throw new Error(
        `cannot configure multiple gateways (${gateway}, ${pool.Gateway}) for the same subnet`,
      )
    pool.Gateway = gateway
  }
  for (const [name, address] of Object.entries(auxiliary)) {
    const pool = poolOf(address)
    if (pool === undefined) throw new Error(`no matching subnet for aux-address ${address}`)
    pool.AuxiliaryAddresses = { ...pool.AuxiliaryAddresses, [name]: address }
  }
  return pools.map(({ pool }) => pool)
}

type MutablePool = { -readonly [K in keyof IPAMPool]: IPAMPool[K] }

function addressOf(cidr: string): string {
  return cidr.split('/')[0] ?? ''
}

function contains(cidr: string, address: string): boolean {
  const [network = '', prefix = ''] = cidr.split('/')
  const family = isIP(network)
  if (family === 0 || !/^\d{1,3}$/.test(prefix)) throw new Error(`invalid CIDR address: ${cidr}`)
  if (isIP(address) !== family) return false
  const list = new BlockList()
  list.addSubnet(network, Number(prefix), family === 4 ? 'ipv4' : 'ipv6')
  return list.check(address, family === 4 ? 'ipv4' : 'ipv6')
}
