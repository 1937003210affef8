import { type Client, path } from '../client.ts'
import { ResponseError } from '../errors.ts'

/** The exit code, whenever it ends. With `hold` the exec is hung up when our connection breaks before. */
export async function waitExec(
  client: Client,
  id: string,
  query: { readonly hold?: boolean } = {},
): Promise<number> {
  const { StatusCode } = await client.json<{ StatusCode: number }>({
    method: 'POST',
    path: path`/exec/${id}/wait`,
    query,
  })
  return StatusCode
}

/** Before leaving an exec that is held: it goes on. */
export async function keepExec(client: Client, id: string): Promise<void> {
  await client.run({ method: 'POST', path: path`/exec/${id}/keep` })
}

/** As `waitExec` with `hold`, or undefined with a daemon that has no such thing (Docker's). */
export async function holdExec(client: Client, id: string): Promise<number | undefined> {
  try {
    return await waitExec(client, id, { hold: true })
  } catch (error) {
    if (error instanceof ResponseError && error.status === 404) return undefined
    throw error
  }
}
