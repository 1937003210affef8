/** Go's nil slice and nil map: empty where a template looks into them, null as JSON. */
class NilSlice extends Array<never> {
  toJSON(): null {
    return null
  }
}

class NilMap {
  toJSON(): null {
    return null
  }
}

export const NIL_SLICE: readonly never[] = Object.freeze(new NilSlice())
export const NIL_MAP: Readonly<Record<string, never>> = Object.freeze(
  new NilMap(),
) as unknown as Readonly<Record<string, never>>
