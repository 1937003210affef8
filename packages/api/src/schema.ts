import Type, {
  type TArray,
  type TNull,
  type TRecord,
  type TSchema,
  type TString,
  type TUnion,
} from 'typebox'

/** Schema of a response field that Docker renders as `null` when there is nothing. */
export function Nullable<T extends TSchema>(schema: T): TUnion<[T, TNull]> {
  return Type.Union([schema, Type.Null()])
}

export function Strings(): TArray<TString> {
  return Type.Array(Type.String())
}

/** Go's strslice.StrSlice: `decode` turns a single string into a list of one. */
export function StringOrStrings(): TArray<TString> {
  return Type.Array(Type.String(), { orString: true })
}

export function StringMap(): TRecord<'^.*$', TString> {
  return Type.Record(Type.String(), Type.String())
}
