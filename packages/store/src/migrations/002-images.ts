export const migration002 = `
`
