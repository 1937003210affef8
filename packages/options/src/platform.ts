/** `os[(version)][/architecture[/variant]]`; throws an Error with the text of containerd's platforms.Parse. */
export function checkPlatform(text: string): void {
  const fail = (reason: string): Error =>
    new Error(`error parsing specified platform: ${reason}: invalid argument`)
  const parts = text.split('/')
  for (const [index, part] of parts.entries()) {
    const pattern = index === 0 ? OS_AND_VERSION : COMPONENT
    if (pattern.test(part)) continue
    throw fail(
      index === 0
        ? `${JSON.stringify(part)} is an invalid OS component of ${JSON.stringify(text)}: OSAndVersion specifier component must match ${JSON.stringify(OS_AND_VERSION.source)}`
        : `${JSON.stringify(part)} is an invalid component of ${JSON.stringify(text)}: platform specifier component must match ${JSON.stringify(COMPONENT.source)}`,
    )
  }
  if (parts.length > 3) throw fail(`${JSON.stringify(text)}: cannot parse platform specifier`)
  if (parts.length === 1 && !KNOWN.has(text.toLowerCase().replace(/\(.*/, ''))) {
    throw fail(`${JSON.stringify(text)}: unknown operating system or architecture`)
  }
}

const OS_AND_VERSION = /^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.-]*)\))?$/
const COMPONENT = /^[A-Za-z0-9_-]+$/

/** What may stand alone: Go's operating systems, and architectures with their other names. */
const KNOWN: ReadonlySet<string> = new Set(
  (
    'aix android darwin dragonfly freebsd hurd illumos ios js linux macos nacl netbsd openbsd plan9 solaris windows zos ' +
    '386 i386 amd64 x86_64 x86-64 arm armhf armel armbe arm64 aarch64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 ' +
    'mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 amd64p32 wasm'
  ).split(' '),
)
