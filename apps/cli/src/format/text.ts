/** Cuts to a width and says so with `…` (docker/cli formatter.Ellipsis). */
export function ellipsis(text: string, width: number): string {
  const characters = Array.from(text)
  if (characters.length <= width) return text
  return width <= 1
    ? characters.slice(0, width).join('')
    : `${characters.slice(0, width - 1).join('')}…`
}

/** `sha256:` and all but twelve digits go. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}

/** `k=v,k2=v2`, sorted by key. */
export function labelsText(labels: Readonly<Record<string, string>> | null | undefined): string {
  return Object.entries(labels ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}
