export * from './image-spec.ts'
export * from './runtime-spec.ts'
