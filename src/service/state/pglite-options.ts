/** How PGlite is started, wherever it is. */
import { setFlagsFromString } from 'node:v8';
import { PGlite } from '@electric-sql/pglite';

/**
 * V8's baseline compiler alone, for WebAssembly. The optimising one takes 500 MB for a moment at every start, to compile
 * PostgreSQL's largest functions, and our queries are no faster for it: docs/decisions/database.md has the figures.
 */
for (const flag of ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering']) setFlagsFromString(flag);

/** OIDs of PostgreSQL's types. */
const INT8 = 20;

/** PGlite's own, but synced, and with buffers for our few megabytes: its 128 MB of them would all become resident. */
const START = [
  ...PGlite.defaultStartParams.filter((param) => param !== '-F'),
  ...['shared_buffers=16MB', 'wal_sync_method=fsync', 'max_wal_size=64MB'].flatMap((set) => ['-c', set]),
];

export const PGLITE_OPTIONS = { parsers: { [INT8]: Number }, startParams: START } as const;
