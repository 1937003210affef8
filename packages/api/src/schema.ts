/**
 * JSON Schema and TypeScript type in one value: what a request may hold, what `/openapi.json` says, and what the
 * client and the engine see. Names as in TypeBox, of which this is the part we use (docs/decisions/0011).
 */
export interface JsonSchema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly const?: string
  /** Our mark on lists that may be written as one string (Go's strslice.StrSlice). */
  readonly orString?: boolean
  /** Our mark on maps of Go's pointers, in which `null` is no empty value. */
  readonly keepsNull?: boolean
  readonly minimum?: number
  readonly description?: string
}

declare const type: unique symbol
const optional: unique symbol = Symbol('optional')

export interface Schema<T> extends JsonSchema {
  /** Never set: carries the type. */
  readonly [type]?: T
}

export type Static<S> = S extends Schema<infer T> ? T : never

export interface OptionalSchema<T> extends Schema<T> {
  readonly [optional]: true
}

export type Fields = Readonly<Record<string, Schema<unknown>>>

export interface ObjectSchema<P extends Fields> extends Schema<ObjectOf<P>> {
  readonly properties: P
}

export interface PartialSchema<P extends Fields>
  extends Schema<Flat<{ [K in keyof P]?: Static<P[K]> }>> {
  readonly properties: P
}

type OptionalKeys<P> = { [K in keyof P]: P[K] extends { [optional]: true } ? K : never }[keyof P]

type ObjectOf<P> = Flat<
  { [K in Exclude<keyof P, OptionalKeys<P>>]: Static<P[K]> } & {
    [K in OptionalKeys<P>]?: Static<P[K]>
  }
>

type Flat<T> = { [K in keyof T]: T[K] }

export const Type = {
  String: (): Schema<string> => ({ type: 'string' }),
  /** Of 64 bits. */
  Integer: (): Schema<number> => ({ type: 'integer' }),
  Unsigned: (): Schema<number> => ({ type: 'integer', minimum: 0 }),
  Boolean: (): Schema<boolean> => ({ type: 'boolean' }),
  Null: (): Schema<null> => ({ type: 'null' }),
  Unknown: (): Schema<unknown> => ({}),
  Literal: <const T extends string>(value: T): Schema<T> => ({ type: 'string', const: value }),
  Array: <T>(items: Schema<T>): Schema<T[]> => ({ type: 'array', items }),
  Map: <T>(values: Schema<T>): Schema<Record<string, T>> => ({
    type: 'object',
    additionalProperties: values,
  }),
  /** `null` is handed on, and is to be refused. */
  PointerMap: <T>(values: Schema<T>): Schema<Record<string, T>> => ({
    type: 'object',
    additionalProperties: values,
    keepsNull: true,
  }),
  Union: <const S extends readonly Schema<unknown>[]>(schemas: S): Schema<Static<S[number]>> => ({
    anyOf: schemas,
  }),
  Optional: <T>(schema: Schema<T>): OptionalSchema<T> => ({ ...schema, [optional]: true }),
  Object: <P extends Fields>(properties: P): ObjectSchema<P> => ({
    type: 'object',
    properties,
    required: Object.keys(properties).filter((name) => !(optional in (properties[name] ?? {}))),
  }),
  /** Every field may be absent: what requests are made of. */
  Partial: <P extends Fields>(properties: P): PartialSchema<P> => ({ type: 'object', properties }),
}

/** A response field that Docker renders as `null` when there is nothing. */
export function Nullable<T>(schema: Schema<T>): Schema<T | null> {
  return { anyOf: [schema, { type: 'null' }] }
}

export function Strings(): Schema<string[]> {
  return Type.Array(Type.String())
}

export function StringOrStrings(): Schema<string[]> {
  return { type: 'array', items: { type: 'string' }, orString: true }
}

export function StringMap(): Schema<Record<string, string>> {
  return Type.Map(Type.String())
}
