/** What a build is given in place of a directory. */
export function isHttpUrl(text: string): boolean {
  return /^https?:\/\//.test(text)
}

/** A context that the daemon fetches: by http(s), or from a repository of git. */
export function isRemoteContext(text: string): boolean {
  return isHttpUrl(text) || /^(?:git:\/\/|ssh:\/\/|git@|github\.com\/)/.test(text)
}
