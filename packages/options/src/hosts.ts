import { ipVersion } from './ip.ts'

/** `--add-host`, `--dns`, `--dns-search`, `--link`, `--mac-address`. Docker's texts. */

/** `name:ip`, `name=ip`, `name=[ip]`, `name:host-gateway` → `name:ip`, the only form that the API knows. */
export function parseExtraHost(text: string): string {
  const separator = text.includes('=') ? '=' : ':'
  const at = text.indexOf(separator)
  const name = text.slice(0, at)
  if (at <= 0 || name.includes(':'))
    throw new Error(`bad format for add-host: ${JSON.stringify(text)}`)
  const value = text.slice(at + 1)
  if (value === 'host-gateway') return `${name}:${value}`
  const address = value.length > 2 ? value.replace(/^\[(.*)\]$/, '$1') : value
  if (ipVersion(address) === 0)
    throw new Error(`invalid IP address in add-host: ${JSON.stringify(address)}`)
  return `${name}:${address}`
}

export function checkIpAddress(text: string): void {
  if (ipVersion(text.trim()) === 0)
    throw new Error(`IP address is not correctly formatted: ${text}`)
}

export function checkDnsSearch(text: string): void {
  if (text.trim() === '.') return
  const isDomain = /^(?=.{1,255}$)([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,62})\.?)+$/.test(text.trim())
  if (!isDomain || !/[a-zA-Z]/.test(text)) throw new Error(`${text} is not a valid domain`)
}

/** `name[:alias]` */
export function checkLink(text: string): void {
  if (text === '') throw new Error('empty string specified for links')
  if (text.split(':').length > 2) throw new Error(`bad format for links: ${text}`)
}

export function checkMacAddress(text: string): void {
  const isValid = /^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$|^([0-9a-f]{4}\.){2}[0-9a-f]{4}$/i.test(text)
  if (!isValid) throw new Error(`${text} is not a valid mac address`)
}

export function checkSysctl(text: string): void {
  const key = text.split('=')[0] ?? ''
  const isAllowed =
    text.includes('=') &&
    (SYSCTLS.has(key) || key.startsWith('net.') || key.startsWith('fs.mqueue.'))
  if (!isAllowed) throw new Error(`sysctl '${text}' is not allowed`)
}

const SYSCTLS = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
])
