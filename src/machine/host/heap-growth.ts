/**
 * How far the heap of a program may grow between collections.
 *
 * On the command line the limit would cost 25 ms at every start: V8 takes no compiled code that was made with other flags,
 * and Node's own modules come with theirs. So it is set once there is much to hold.
 */
/** From so many entries of a tree the collector should run often, so that buffers outside of the heap go as well. */
const MANY_ENTRIES = 4_000;

let state: 'usual' | 'watched' | 'slow' = 'usual';

/** For a program of ours that is to stay small; nobody else's process is touched. */
export function watchHeap(): void {
  state = 'watched';
}

/** Tells how many entries are held by now: with many the heap grows slowly from then on, where it is watched. */
export function heldEntries(count: number): void {
  if (state !== 'watched' || count < MANY_ENTRIES) return;
  state = 'slow';
  setPercent(60);
}

/**
 * Collects at the end of a step, where the heap is watched and large: what the step leaves behind would still be there at
 * the peak of the next one.
 */
export function letGo(): void {
  if (state !== 'slow') return;
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  setFlagsFromString('--expose-gc');
  const collect: unknown = process.getBuiltinModule('node:vm').runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof collect === 'function') collect();
}

/** As at the start, since compiled code that is kept carries the flags that it was made with. */
export function growAsUsual(): void {
  if (state !== 'slow') return;
  state = 'usual';
  setPercent(0);
}

/** 0 leaves it to V8. Found when it is needed, which few starts do. */
function setPercent(percent: number): void {
  process.getBuiltinModule('node:v8').setFlagsFromString(`--heap-growing-percent=${percent}`);
}
