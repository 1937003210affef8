export const migration003 = `
`
