/** Defaults of limits that only some commands take, and therefore have no row in the table of settings. */

/** What a collection of garbage keeps: counts are per app. A server keeps as many. */
export const RETENTION = { keepPackages: 5, keepDroplets: 5, minAgeMs: 3_600_000 } as const;

/** How long an app may take until it is healthy. */
export const START_TIMEOUT_MS = 60_000;

/** A process of an app on the endpoint whose client says nothing, as on Cloud Controller. */
export const PROCESS_LIMITS = { memoryMb: 1024, diskMb: 1024 } as const;
