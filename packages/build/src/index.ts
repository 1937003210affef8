/**
 * Builds images from Dockerfiles: a sequential builder, as dockerd's classic one. A context is opened, then built. What happens between the steps is not
 * exported.
 */
export { build } from './builder.ts'
export { type BuildContext, type ContextSource, openContext } from './context.ts'
export type { Dockerfile } from './dockerfile/stages.ts'
export type { BuildOutput, BuildRequest } from './request.ts'
export { StepFailed } from './run-step.ts'
