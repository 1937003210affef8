export { goString } from './go-values.ts'
export { TemplateSyntaxError } from './node.ts'
export { Template, TemplateExecutionError, type TemplateOptions } from './template.ts'
