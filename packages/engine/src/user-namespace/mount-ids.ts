import type { RuntimeIdMapping, RuntimeMount } from '@ctr/oci'

/** Ids 0 to 0xfffffffe; the last one means "no id". */
const IDS = 0xffff_ffff

/** Option words of a bind: `idmap`, `uid=N`, `gid=N`. */
export interface MountIds {
  readonly isIdMapped: boolean
  /** The source's owner looks like this user inside, and the other way round. */
  readonly uid: number | undefined
  readonly gid: number | undefined
}

export function parseMountIds(mode: string): MountIds {
  const words = mode.split(',')
  const number = (key: string): number | undefined => {
    const text = words.find((word) => word.startsWith(key))?.slice(key.length)
    return text === undefined ? undefined : Number(text)
  }
  return { isIdMapped: words.includes('idmap'), uid: number('uid='), gid: number('gid=') }
}

/** Maps of a mount whose source belongs to `owner`; `uid` and `gid` are the host's. */
export function ownerMaps(
  owner: { readonly uid: number; readonly gid: number },
  to: { readonly uid: number; readonly gid: number },
): Pick<RuntimeMount, 'uidMappings' | 'gidMappings'> {
  return { uidMappings: exchange(owner.uid, to.uid), gidMappings: exchange(owner.gid, to.gid) }
}

/** All ids stay, but for two that change places: so every file keeps an owner, and every user may own files. */
function exchange(a: number, b: number): RuntimeIdMapping[] {
  if (a === b) return [{ containerID: 0, hostID: 0, size: IDS }]
  const [low, high] = a < b ? [a, b] : [b, a]
  const same = (from: number, end: number): RuntimeIdMapping => ({
    containerID: from,
    hostID: from,
    size: end - from,
  })
  return [
    same(0, low),
    { containerID: low, hostID: high, size: 1 },
    same(low + 1, high),
    { containerID: high, hostID: low, size: 1 },
    same(high + 1, IDS),
  ].filter(({ size }) => size > 0)
}

export function hasId(map: readonly RuntimeIdMapping[] | undefined, id: number): boolean {
  if (map === undefined) return true
  return map.some(({ containerID, size }) => id >= containerID && id < containerID + size)
}
