/** Image references as users write them (distribution/reference), as far as the client must know them. */
export interface Reference {
  /** As typed, without tag and digest: `busybox`, `localhost:5000/a/b`. */
  readonly name: string
  readonly tag: string | undefined
  readonly digest: string | undefined
}

const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const DOMAIN =
  '(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?'
const REFERENCE = new RegExp(
  `^((?:${DOMAIN}/)?${COMPONENT}(?:/${COMPONENT})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`,
)

/** Throws an Error with Docker's text. */
export function parseReference(text: string): Reference {
  const match = REFERENCE.exec(text)
  const name = match?.[1]
  if (match === null || name === undefined) {
    const repository = text.replace(/@.*$/, '').replace(/:[^/:]*$/, '')
    if (repository !== repository.toLowerCase() && REFERENCE.test(text.toLowerCase())) {
      const path = repository.includes('/') ? repository : `library/${repository}`
      throw new Error(`invalid reference format: repository name (${path}) must be lowercase`)
    }
    throw new Error('invalid reference format')
  }
  if (/^[0-9a-f]{64}$/.test(name)) {
    throw new Error(`invalid repository name (${name}), cannot specify 64-byte hexadecimal strings`)
  }
  return { name, tag: match[2], digest: match[3] }
}

/** Throws as `parseReference` for what names no image. An id needs no grammar. */
export function checkImage(image: string): void {
  if (!/^(sha256:)?[0-9a-f]{64}$/.test(image)) parseReference(image)
}

/** Docker's familiar form with the tag that is meant: `busybox:latest`. */
export function familiarReference(text: string): string {
  const { name, tag, digest } = parseReference(text)
  const familiar = name
    .replace(/^(?:docker\.io|index\.docker\.io)\//, '')
    .replace(/^library\/(?=[^/]+$)/, '')
  if (digest !== undefined) return `${familiar}${tag === undefined ? '' : `:${tag}`}@${digest}`
  return `${familiar}:${tag ?? 'latest'}`
}

/** The host that a reference names, as credentials are filed. */
export function registryOf(name: string): string {
  const [first = '', ...rest] = name.split('/')
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
  return isHost && first !== 'docker.io' && first !== 'index.docker.io'
    ? first
    : 'https://index.docker.io/v1/'
}
