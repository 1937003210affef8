import type { Op } from './ops.ts'
import { protocolName } from './protocol-number.ts'

/** One operation in a few words for an error message, e.g. `mount proc on /proc`. */
export function describeOp(op: Op): string {
  switch (op.op) {
    case 'mount':
      return `mount ${op.type} on ${op.target}`
    case 'overlay':
      return `mount overlay on ${op.target}`
    case 'overlay_tree':
      return 'mount overlay with mapped ids'
    case 'attach':
      return `bind on ${op.target === '' ? '/' : op.target}`
    case 'bind':
    case 'bind_root':
      return `bind ${op.source} on ${op.target}`
    case 'forward':
      return `forward ${protocolName(op.protocol)} ${op.address}:${op.port}`
    case 'join':
      return `join ${op.pid}`
    case 'exec':
      return `exec ${op.args[0] ?? ''}`
    case 'restore':
      return `criu ${op.args[1] ?? ''}`
    case 'sysctl':
      return `sysctl ${op.key}`
    case 'label':
      return `label ${op.name}`
    case 'rlimit':
      return `rlimit ${op.resource}`
    default:
      return 'path' in op ? `${op.op} ${op.path}` : op.op
  }
}
