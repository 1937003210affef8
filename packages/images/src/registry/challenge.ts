/** One scheme of a `WWW-Authenticate` header, with its parameters. RFC 9110 section 11 */
export interface Challenge {
  readonly scheme: string
  readonly parameters: Readonly<Record<string, string>>
}

/** Parses `Bearer realm="…",service="…"`, also several schemes in one header. Text that is none is skipped. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = []
  const token = /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y
  for (let match = token.exec(header); match !== null; match = token.exec(header)) {
    const [, name = '', quoted, plain] = match
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain
    const current = challenges.at(-1)
    if (value === undefined) {
      challenges.push({ scheme: name.toLowerCase(), parameters: Object.create(null) })
    } else if (current !== undefined) current.parameters[name.toLowerCase()] = value
  }
  return challenges
}
