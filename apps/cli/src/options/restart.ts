import type { RestartPolicy } from '@ctr/api'

/** `no`, `always`, `unless-stopped`, `on-failure[:max]`; the daemon judges the name. */
export function parseRestartPolicy(text: string): RestartPolicy {
  if (text === '') return { Name: 'no', MaximumRetryCount: 0 }
  const [name = '', count, ...rest] = text.split(':')
  if (rest.length > 0) throw new Error('invalid restart policy format')
  if (name === '') throw new Error('invalid restart policy format: no policy provided before colon')
  if (count !== undefined && !/^-?\d+$/.test(count)) {
    throw new Error('invalid restart policy format: maximum retry count must be an integer')
  }
  return { Name: name, MaximumRetryCount: Number(count ?? 0) }
}

export function hasRestartPolicy(policy: RestartPolicy): boolean {
  return policy.Name !== 'no' && policy.Name !== ''
}
