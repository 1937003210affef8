/**
 * Every index is a page more to write, or two, at each step of a container's life. Rows of events are in the order of their
 * times, so these are found by halving; containers are looked up in memory; a network's endpoints are asked for rarely.
 */
export const migration010 = `
DROP INDEX events_time;
DROP INDEX containers_image;
DROP INDEX endpoints_network;
`
