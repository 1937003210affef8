import { defaultSeccomp, type RuntimeSeccomp, resolveSeccomp } from '@ctr/oci'
import type { SecurityOptions } from '../security-options.ts'
import { denyCalls, findPreset } from '../security-presets.ts'
import type { SpecInput } from './input.ts'
import { processCapabilities } from './process.ts'

export function compileSeccompRules(
  input: SpecInput,
  security: SecurityOptions,
): RuntimeSeccomp | undefined {
  const { hostConfig } = input.container
  const preset = findPreset(hostConfig.SecurityOpt)
  const subject = {
    // What is added to those of a profile does not open its filter.
    capabilities: preset
      ? [...preset.capabilities]
      : processCapabilities(hostConfig, 0, input.host).bounding,
    arch: input.host.arch,
    kernel: input.host.kernel,
  }
  const isPrivileged = hostConfig.Privileged === true
  if (security.seccomp.kind === 'default' && isPrivileged) return undefined
  const policy = security.seccomp.kind === 'default' ? input.defaultSeccomp : security.seccomp
  if (preset !== undefined && security.seccomp.kind === 'default') {
    const base =
      policy.kind === 'profile' ? resolveSeccomp(policy.profile, subject) : defaultSeccomp(subject)
    return denyCalls(base, preset.deniedCalls)
  }
  switch (policy.kind) {
    case 'unconfined':
      return undefined
    case 'profile':
      return resolveSeccomp(policy.profile, subject)
    case 'builtin':
      return isPrivileged ? undefined : defaultSeccomp(subject)
  }
}
