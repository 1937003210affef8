import { Nftables, NftablesError } from '@ctr/linux'
import {
  type FirewallState,
  type Publication,
  renderPublish,
  renderTable,
  renderUnpublish,
} from './render.ts'

/**
 * The daemon's own nftables table. Small changes are made in place; when the table is not as we left it (somebody has
 * flushed the ruleset), the whole of it is made anew from `state`, which reads the database.
 */
export class Firewall {
  readonly #nft: Nftables
  readonly #table: string
  readonly #state: () => Omit<FirewallState, 'table'>
  readonly #forgetFlows: (publications: readonly Publication[]) => Promise<void>
  /** Tail of the queue of changes: a change reads the database and writes the kernel with no other in between. */
  #last: Promise<unknown> = Promise.resolve()

  /** `forgetFlows` is told of what has begun or ceased to lead somewhere. Throws when libnftables is missing. */
  constructor(
    table: string,
    state: () => Omit<FirewallState, 'table'>,
    forgetFlows: (publications: readonly Publication[]) => Promise<void>,
  ) {
    this.#nft = Nftables.open()
    this.#table = table
    this.#state = state
    this.#forgetFlows = forgetFlows
  }

  apply(): Promise<void> {
    return this.#serial(() => this.#apply())
  }

  /** Makes the table anew if somebody has deleted it, or rules of it. Says whether. */
  heal(): Promise<boolean> {
    return this.#serial(async () => {
      const expected = renderTable({ ...this.#state(), table: this.#table })
      if (countRules(await this.#list()) >= countRules(expected)) return false
      await this.#nft.run(expected)
      await this.#forgetFlows(this.#state().publications)
      return true
    })
  }

  async publish(publications: readonly Publication[]): Promise<void> {
    const commands = renderPublish(this.#table, publications)
    if (commands === '') return
    await this.#serial(() => this.#change(commands, () => undefined))
    await this.#forgetFlows(publications)
  }

  /**
   * What was published `from` leads `to` elsewhere, or nowhere. `commit` says so to the database; until it has run, nobody
   * else may get the ports' address.
   */
  async replace(
    { from, to }: { readonly from: readonly Publication[]; readonly to: readonly Publication[] },
    commit: () => void,
  ): Promise<void> {
    const commands = renderUnpublish(this.#table, from) + renderPublish(this.#table, to)
    if (commands === '') return commit()
    await this.#serial(() => this.#change(commands, commit))
    await this.#forgetFlows([...from, ...to])
  }

  async removeTable(): Promise<void> {
    // `delete` alone fails when there is no table.
    const commands = `add table inet ${this.#table}\ndelete table inet ${this.#table}\n`
    await this.#serial(() => this.#nft.run(commands))
  }

  /** Other programs' base chains that drop what nobody accepts; our `accept` does not overrule them. nft(8) VERDICT STATEMENT */
  async findDroppingChains(hook: 'forward' | 'input'): Promise<string[]> {
    return parseDroppingChains(await this.#nft.run('list chains\n'), hook)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last
    await this.#nft[Symbol.asyncDispose]()
  }

  async #list(): Promise<string> {
    try {
      return await this.#nft.run(`list table inet ${this.#table}\n`)
    } catch (error) {
      if (error instanceof NftablesError) return '' // there is none
      throw error
    }
  }

  async #change(commands: string, commit: () => void): Promise<void> {
    try {
      await this.#nft.run(commands)
    } catch (error) {
      if (!(error instanceof NftablesError)) throw error
      commit()
      return await this.#apply()
    }
    commit()
  }

  async #apply(): Promise<void> {
    await this.#nft.run(renderTable({ ...this.#state(), table: this.#table }))
  }

  #serial<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task)
    this.#last = result.catch(() => undefined)
    return result
  }
}

/** Lines of the chains of one table, as `renderTable` writes them and `list table` shows them. */
function countRules(text: string): number {
  let isChain = false
  let count = 0
  for (const line of text.split('\n').map((part) => part.trim())) {
    if (isChain && line !== '' && line !== '}') count += 1
    if (line.startsWith('chain ')) isChain = true
    if (line === '}') isChain = false
  }
  return count
}

/** From `list chains`: those at a hook with policy drop, as `ip filter FORWARD`. */
export function parseDroppingChains(text: string, hook: 'forward' | 'input'): string[] {
  const found: string[] = []
  let table = ''
  let chain = ''
  for (const line of text.split('\n').map((part) => part.trim())) {
    const [word, first, second] = line.split(/\s+/)
    if (word === 'table') table = `${first} ${second}`
    if (word === 'chain') chain = `${table} ${first}`
    if (line.startsWith(`type filter hook ${hook} `) && line.includes('policy drop;')) {
      found.push(chain)
    }
  }
  return found
}
