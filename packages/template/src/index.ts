export { goString } from './go-values.ts'
export { NIL_MAP, NIL_SLICE } from './nil-values.ts'
export { TemplateSyntaxError } from './node.ts'
export { Template, TemplateExecutionError, type TemplateOptions } from './template.ts'
