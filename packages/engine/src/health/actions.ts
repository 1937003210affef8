/** What is done to a container that has become unhealthy (`--health-on-failure`); Podman's words. */
export const HEALTH_ACTIONS = ['none', 'kill', 'restart', 'stop'] as const
