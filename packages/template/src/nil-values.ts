/** What JSON does not tell of Go's values: a nil slice, a nil map, an empty struct, and that an object is a map. */
class NilSlice extends Array<never> {
  toJSON(): null {
    return null
  }
}

class GoMap {}

class NilMap extends GoMap {
  toJSON(): null {
    return null
  }
}

/** Empty where a template looks into them, null as JSON. */
export const NIL_SLICE: readonly never[] = Object.freeze(new NilSlice())
export const NIL_MAP: object = Object.freeze(new NilMap())

/** `struct{}{}`, the value of Go's sets: printed as `{}`. */
export const EMPTY_STRUCT: object = Object.freeze({})

/** Changes the object: it is printed as a map, whatever its keys look like. */
export function markAsMap(value: object): void {
  Object.setPrototypeOf(value, GoMap.prototype)
}

export function isMap(value: object): boolean {
  return value instanceof GoMap
}
