/** The gateway of a pool that has none: in the tables it cannot be absent. */
export const NO_GATEWAY = ''
