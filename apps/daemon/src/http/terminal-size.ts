import { EngineError } from '@ctr/errdefs'

/** ioctl_tty(2): struct winsize has 16-bit members. */
const MAX = 0xffff

export function terminalSize(query: {
  readonly h: number | undefined
  readonly w: number | undefined
}): { rows: number; columns: number } {
  return { rows: dimension('h', query.h), columns: dimension('w', query.w) }
}

function dimension(name: string, value: number | undefined): number {
  if (value !== undefined && value >= 0 && value <= MAX) return value
  throw new EngineError(
    'INVALID_ARGUMENT',
    `invalid resize ${name === 'h' ? 'height' : 'width'} "${value ?? ''}": must be a number from 0 to ${MAX}`,
  )
}
