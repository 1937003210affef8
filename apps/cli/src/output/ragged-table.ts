import { writeOut } from './write.ts'

/** `top`'s table: cells at least 20 wide, 3 blanks apart (docker/cli container/top.go's tabwriter). */
const MIN_WIDTH = 20
const PADDING = 3

export function printRaggedTable(rows: readonly (readonly string[])[]): void {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(MIN_WIDTH, ...rows.map((row) => (row[column] ?? '').length + PADDING)),
  )
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column < row.length - 1 ? cell.padEnd(widths[column] ?? 0) : cell))
      .join(''),
  )
  writeOut(`${lines.join('\n')}\n`)
}
