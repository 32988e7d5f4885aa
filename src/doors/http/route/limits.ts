/** How large a request may be and how long it may take. Times in milliseconds, sizes in bytes. */

const KIB = 1024;
const MIB = 1024 * KIB;

export const LIMITS = {
  headerBytes: 32 * KIB,
  jsonBytes: MIB,
  formBytes: 64 * KIB,
  /** Cloud Controller's for manifests. */
  yamlBytes: MIB,
  /** 100,000 entries of a resource match. */
  matchBytes: 64 * MIB,
  /** Whole uploads: packages, droplets, buildpacks. */
  uploadBytes: 2048 * MIB,
  headersMs: 20_000,
  /** From the first byte to the last of a request; large uploads over slow lines included. */
  requestMs: 30 * 60_000,
  /** Without a byte in either direction. */
  idleMs: 120_000,
  keepAliveMs: 65_000,
  /** How much of a refused upload is read and dropped, so that the client sees the answer and not a broken pipe. */
  drainBytes: 2048 * MIB,
  drainMs: 60_000,
  multipart: {
    fieldNameSize: 100,
    /** The list `resources` of an upload. */
    fieldSize: 64 * MIB,
    fields: 10,
    fileSize: 2048 * MIB,
    files: 2,
    parts: 12,
    headerPairs: 50,
  },
} as const;
