export const migration001 = `
`
