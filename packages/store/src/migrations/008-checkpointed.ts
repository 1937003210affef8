/** The last run ended with a checkpoint. */
export const migration008 = `
ALTER TABLE containers ADD COLUMN is_checkpointed INTEGER NOT NULL DEFAULT 0;
`
