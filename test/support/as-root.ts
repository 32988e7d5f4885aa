/** For tests that only root can run. */
export const isRoot = process.getuid?.() === 0;

/** What the name of such a test ends with: a test that isn't run says so. */
export const unlessRoot = isRoot ? '' : ' (not run: the tests do not run as root)';
