/** Of a step of a build, with which it goes. */
export const migration017 = `
ALTER TABLE containers ADD COLUMN is_of_build INTEGER NOT NULL DEFAULT 0;
`
