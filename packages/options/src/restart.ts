import type { RestartPolicy } from '@ctr/api'

/** `no`, `always`, `unless-stopped`, `on-failure[:max]`; the daemon judges the name. */
export function parseRestartPolicy(text: string): RestartPolicy {
  if (text === '') return { Name: 'no', MaximumRetryCount: 0 }
  const colon = text.indexOf(':')
  const name = colon < 0 ? text : text.slice(0, colon)
  const count = colon < 0 ? undefined : text.slice(colon + 1)
  if (name === '') throw new Error('invalid restart policy format: no policy provided before colon')
  if (count !== undefined && count !== '' && !/^-?\d+$/.test(count)) {
    throw new Error('invalid restart policy format: maximum retry count must be an integer')
  }
  return { Name: name, MaximumRetryCount: Number(count || 0) }
}

export function hasRestartPolicy(policy: RestartPolicy): boolean {
  return policy.Name !== 'no' && policy.Name !== ''
}
