export { goString } from './go-values.ts'
export { TemplateSyntaxError } from './parse.ts'
export { Template, TemplateExecutionError, type TemplateOptions } from './template.ts'
