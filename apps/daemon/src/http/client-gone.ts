import { EngineError } from '@ctr/errdefs'

/** Made once: an error notes where it was made, which takes longer than the rest of a small answer's end. */
export const CLIENT_GONE = new EngineError('CANCELLED', 'the client went away')
