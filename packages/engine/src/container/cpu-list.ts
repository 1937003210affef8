/** The kernel's list format, `0-3,8`; undefined when it is not one. cpuset(7) "List format" */
export function parseCpuList(text: string): Set<number> | undefined {
  const numbers = new Set<number>()
  for (const part of text.trim().split(',')) {
    const match = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part)
    if (match === null) return undefined
    const first = Number(match[1])
    const last = Number(match[2] ?? match[1])
    if (last < first || last > 8192) return undefined
    for (let number = first; number <= last; number++) numbers.add(number)
  }
  return numbers
}
