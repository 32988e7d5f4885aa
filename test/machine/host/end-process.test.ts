import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const module = fileURLToPath(new URL('../../../src/machine/host/end-process.ts', import.meta.url));

/** A program that says a line, is held up by `hold` when it ends as others do, and ends by ours. */
function ending(hold: string, status: number) {
  const program = `
    import { endProcess, written } from ${JSON.stringify(module)};
    ${hold}
    process.stdout.write('x'.repeat(200_000) + '\\n');
    await written(process.stdout);
    endProcess(${status});
  `;
  return spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
}

describe('endProcess', () => {
  it.each([0, 7, 143, 225])('ends with status %i, all that was written being written', (status) => {
    const ended = ending('', status);
    expect(ended).toMatchObject({ status, signal: null, stderr: '' });
    expect(ended.stdout).toHaveLength(200_001);
  });

  it.each([
    ['code that never ends at exit', `process.on('exit', () => { for (;;); });`],
    [
      'a worker thread that never ends',
      `new (await import('node:worker_threads')).Worker('for (;;);', { eval: true });`,
    ],
    ['a timer', 'setInterval(() => {}, 1000);'],
  ])('is not held up by %s', (_, hold) => {
    expect(ending(hold, 5)).toMatchObject({ status: 5, signal: null, stderr: '' });
  });

  it('leaves no process', () => {
    const pid = execFileSync(process.execPath, [
      '--input-type=module',
      '--eval',
      `import { endProcess } from ${JSON.stringify(module)}; process.stdout.write(String(process.pid)); endProcess(0);`,
    ]);
    expect(() => process.kill(Number(String(pid)), 0)).toThrow('ESRCH');
  });
});
