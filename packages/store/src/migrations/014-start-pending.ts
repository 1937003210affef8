/** Created by a request that starts it, too, and removes it after its run. */
export const migration014 = `
ALTER TABLE containers ADD COLUMN is_start_pending INTEGER NOT NULL DEFAULT 0;
`
