import type { HostConfig } from '@ctr/api'
import { parseCsv } from './csv.ts'

type SecretMount = NonNullable<HostConfig['Secrets']>[number]
type MutableSecret = { -readonly [K in keyof SecretMount]: SecretMount[K] }

/** `--secret NAME[,type=mount|env][,target=…][,uid=0][,gid=0][,mode=0444]`, as Podman's. */
export function parseSecret(text: string): SecretMount {
  const secret: MutableSecret = {}
  for (const [index, field] of parseCsv(text).entries()) {
    const equals = field.indexOf('=')
    if (equals < 0 && index === 0) {
      secret.Source = field
      continue
    }
    if (equals < 0) throw new Error(`invalid field '${field}' must be a key=value pair`)
    setField(secret, field.slice(0, equals), field.slice(equals + 1))
  }
  if ((secret.Source ?? '') === '') throw new Error('no secret was named')
  return secret
}

function setField(secret: MutableSecret, key: string, value: string): void {
  switch (key) {
    case 'source':
    case 'id':
      secret.Source = value
      return
    case 'type':
      if (value !== 'mount' && value !== 'env') throw new Error(`type ${value} is invalid`)
      secret.Type = value
      return
    case 'target':
      secret.Target = value
      return
    case 'uid':
    case 'gid':
      if (!/^\d{1,10}$/.test(value)) throw new Error(`${key} ${value} is not a number`)
      secret[key === 'uid' ? 'UID' : 'GID'] = Number(value)
      return
    case 'mode':
      if (!/^0?[0-7]{1,4}$/.test(value)) throw new Error(`mode ${value} is not octal`)
      secret.Mode = Number.parseInt(value, 8)
      return
    default:
      throw new Error(`invalid field key ${key}`)
  }
}
