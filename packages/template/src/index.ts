export { goString } from './go-values.ts'
export { EMPTY_STRUCT, markAsMap, NIL_MAP, NIL_SLICE } from './nil-values.ts'
export { TemplateSyntaxError } from './node.ts'
export { Template, type TemplateOptions } from './template.ts'
