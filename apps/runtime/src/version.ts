/** The newest runtime-spec that config.json may follow. */
export const SPEC_VERSION = '1.2.0'
export const VERSION = '0.1.0'

/** Lines that callers parse: `<name> version <version>`, `spec: <version>`. */
export function versionText(): string {
  return `ctr-runtime version ${VERSION}\nspec: ${SPEC_VERSION}\n`
}
