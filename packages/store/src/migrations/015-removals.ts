/** A forced removal that waits for the end of the process: '', 'container', or 'volumes' if its anonymous volumes go, too. */
export const migration015 = `
ALTER TABLE containers ADD COLUMN removal TEXT NOT NULL DEFAULT '' CHECK (removal IN ('', 'container', 'volumes'));
`
