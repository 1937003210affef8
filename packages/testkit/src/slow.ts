/** Factor for all that tests wait: CTR_TEST_SLOW, for an emulated machine. */
export const SLOW = Math.max(1, Number(process.env['CTR_TEST_SLOW'] ?? '1') || 1)
