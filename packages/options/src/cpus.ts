/** `--cpus`: a decimal number or fraction of CPUs to 10⁻⁹ CPUs (docker/cli opts.ParseCPUs). */
export function parseCpus(text: string): number {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text)
  if (/^[+-]?0([xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)$/.test(text)) {
    const magnitude = BigInt(text.replace(/^[+-]/, ''))
    return exactly((text.startsWith('-') ? -magnitude : magnitude) * 1_000_000_000n, 1n)
  }
  const fraction = /^([+-]?\d+)\/(\d+)$/.exec(text)
  if (fraction !== null && Number(fraction[2]) !== 0) {
    return exactly(BigInt(fraction[1] as string) * 1_000_000_000n, BigInt(fraction[2] as string))
  }
  const [, sign = '', whole = '', decimals = '', exponent = '0'] = match ?? []
  if (match === null || whole + decimals === '') {
    throw new Error(`failed to parse ${text} as a rational number`)
  }
  const digits = BigInt(sign + whole + decimals)
  const power = 9 - decimals.length + Number(exponent)
  return power >= 0
    ? exactly(digits * 10n ** BigInt(power), 1n)
    : exactly(digits, 10n ** BigInt(-power))
}

function exactly(numerator: bigint, denominator: bigint): number {
  if (numerator % denominator !== 0n) throw new Error('value is too precise')
  return Number(numerator / denominator)
}
