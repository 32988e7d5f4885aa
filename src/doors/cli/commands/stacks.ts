/** `stager stack list|add|remove`. */
import type { StackInfo } from '../../../machine/stack/store.ts';
import { formatBytes } from '../../../words/units.ts';
import type { Context } from '../input/context.ts';
import { table } from '../terminal/table.ts';

/** The known stacks. */
export async function stackList({ stager, output }: Context): Promise<number> {
  const list = await (await stager()).stacks.list();
  if (output.json) for (const stack of list) output.object(stack);
  else
    for (const line of table([['name', 'kind', 'size', 'description'], ...list.map(row)])) output.line(line);
  return 0;
}

/** Adds or replaces one. */
export async function stackAdd({ stager, output, args, signal }: Context): Promise<number> {
  const [name, rootfs] = args;
  const added = await (await stager()).stacks.add(String(name), String(rootfs), { signal });
  if (output.json) output.object(added);
  else if (!output.quiet)
    output.line(
      `Added ${row(added)
        .filter((cell) => cell !== '')
        .join(', ')}`,
    );
  return 0;
}

/** Removes one. */
export async function stackRemove({ stager, output, args }: Context): Promise<number> {
  await (await stager()).stacks.remove(String(args[0]));
  if (!output.quiet && !output.json) output.line(`Removed ${String(args[0])}`);
  return 0;
}

function row(stack: StackInfo): string[] {
  return [stack.name, stack.kind, stack.kind === 'host' ? '' : formatBytes(stack.bytes), stack.description];
}
