/** Columns as Go's text/tabwriter lays them out with Docker's settings: at least 10 wide, 3 blanks apart. */
const MIN_WIDTH = 10
const PADDING = 3

/** Cells end with a tab; what follows the last tab of a line is not a column. */
export function alignColumns(lines: readonly string[]): string[] {
  const rows = lines.map((line) => line.split('\t'))
  const widths = rows.map((row) => row.map(() => 0))
  const columns = Math.max(0, ...rows.map((row) => row.length - 1))
  for (let column = 0; column < columns; column++) alignColumn(rows, widths, column)
  return rows.map((row, index) =>
    row
      .map((cell, column) =>
        column < row.length - 1 ? padCell(cell, widths[index]?.[column] ?? 0) : cell,
      )
      .join(''),
  )
}

/** A column is a block of consecutive lines that have this cell. */
function alignColumn(rows: readonly string[][], widths: number[][], column: number): void {
  for (let start = 0; start < rows.length; start++) {
    let end = start
    let width = MIN_WIDTH
    while (end < rows.length && (rows[end] as string[]).length - 1 > column) {
      width = Math.max(width, length(rows[end]?.[column] ?? '') + PADDING)
      end += 1
    }
    for (let row = start; row < end; row++) (widths[row] as number[])[column] = width
    start = end
  }
}

function padCell(cell: string, width: number): string {
  return cell + ' '.repeat(Math.max(width - length(cell), 0))
}

function length(text: string): number {
  return Array.from(text).length
}
