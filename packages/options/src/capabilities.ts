/** `--cap-add` and `--cap-drop` as the daemon is told them (docker/cli opts.EffectiveCapAddCapDrop): sorted, each in one form. */
export function capabilityChanges(
  added: readonly string[],
  dropped: readonly string[],
): { readonly add: string[]; readonly drop: string[] } {
  const add = capabilities(added)
  return { add, drop: capabilities(dropped).filter((name) => !add.includes(name)) }
}

/** `ALL` says all the others. */
function capabilities(texts: readonly string[]): string[] {
  const names = new Set(texts.map(normalise))
  return names.has('ALL') ? ['ALL'] : [...names].toSorted()
}

function normalise(text: string): string {
  const name = text.trim().toUpperCase()
  return name === 'ALL' || name.startsWith('CAP_') ? name : `CAP_${name}`
}
