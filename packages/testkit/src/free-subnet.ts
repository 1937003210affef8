import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** A /24 in 10.128.0.0/9 that no route of this host covers. */
export function freeSubnetPrefix(): string {
  const routes = readFileSync('/proc/net/route', 'utf8')
  for (;;) {
    const second = randomInt(128, 255)
    const third = randomInt(0, 256)
    // proc(5), /proc/net/route: destinations are little-endian hexadecimal.
    const destination = [0, third, second, 10]
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join('')
      .toUpperCase()
    if (!routes.includes(destination)) return `10.${second}.${third}`
  }
}
