import { invalid } from '@ctr/errdefs'
import type { RuntimeMemoryPolicy } from '@ctr/oci'
import type { Op } from '../ops.ts'

/** set_mempolicy(2) */
const MODES: Readonly<Record<string, number>> = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
}
const FLAGS: Readonly<Record<string, number>> = {
  MPOL_F_STATIC_NODES: 1 << 15,
  MPOL_F_RELATIVE_NODES: 1 << 14,
  MPOL_F_NUMA_BALANCING: 1 << 13,
}

/** What a policy may be made of, sorted. */
export const MEMORY_MODES: readonly string[] = Object.keys(MODES).toSorted()
export const MEMORY_FLAGS: readonly string[] = Object.keys(FLAGS).toSorted()

/** MAX_NUMNODES of the kernel is 1024 at most. */
const NODES_MAX = 1024
const WORD_BYTES = 8

/** `linux.memoryPolicy`; whether mode, flags and nodes go together is the kernel's to say. INVALID_ARGUMENT, in runc's words. runtime-spec 1.3 */
export function planMemoryPolicy(policy: RuntimeMemoryPolicy | null | undefined): Op[] {
  if (policy === undefined || policy === null) return []
  const mode = need(MODES, policy.mode ?? '', 'mode')
  const flags = (policy.flags ?? []).map((flag) => need(FLAGS, flag, 'flag'))
  return [
    {
      op: 'set_mempolicy',
      mode: flags.reduce((all, flag) => all | flag, mode),
      nodes: nodeMask(policy.nodes ?? ''),
    },
  ]
}

function need(table: Readonly<Record<string, number>>, name: string, what: string): number {
  const value = Object.hasOwn(table, name) ? table[name] : undefined
  if (value === undefined) throw invalid(`invalid memory policy ${what} ${JSON.stringify(name)}`)
  return value
}

/** Of a list such as `0-3,7`; as many words as it takes. */
function nodeMask(list: string): Uint8Array {
  if (list === '') return new Uint8Array()
  const mask = Buffer.alloc(NODES_MAX / 8)
  let highest = 0
  for (const part of list.split(',')) {
    const [, first = '', last = first] = /^\s*(\d{1,10})(?:-(\d{1,10}))?\s*$/.exec(part) ?? []
    if (first === '' || Number(last) < Number(first) || Number(last) >= NODES_MAX) {
      throw invalid(`invalid memory policy nodes ${JSON.stringify(list)}`)
    }
    for (let node = Number(first); node <= Number(last); node++) {
      mask[node >> 3] = (mask[node >> 3] ?? 0) | (1 << (node & 7))
    }
    highest = Math.max(highest, Number(last))
  }
  return mask.subarray(0, (Math.floor(highest / (WORD_BYTES * 8)) + 1) * WORD_BYTES)
}
