/** `/platform`: the buildpacks in their order, and the stacks. */
import { html } from 'ghtml';
import { listBuildpacks } from '../../../service/resources/buildpacks.ts';
import { listStacks } from '../../../service/resources/stacks.ts';
import type { Queries } from '../../../service/state/database.ts';
import { route } from '../route/define-route.ts';
import { answerPage, PAGE } from './layout.ts';
import { chosen, grid, state, time } from './parts.ts';

/** All of them: a platform has a few dozen. */
const ALL = 500;

export const platformPage = route({
  method: 'GET',
  path: '/platform',
  summary: 'List buildpacks and stacks',
  access: 'signed-in',
  answers: PAGE,
  handle: async (call) => {
    const { queries } = call.service.database;
    const main = html`<h1>Buildpacks and stacks</h1>
      <h2>Buildpacks</h2>
      !${await buildpacks(queries)}
      <h2>Stacks</h2>
      !${await stacks(queries)}`;
    return answerPage(call, { title: 'Buildpacks and stacks', main });
  },
});

async function buildpacks(queries: Queries): Promise<string> {
  const order = { column: 'position', direction: 'asc' } as const;
  const found = await listBuildpacks(queries, { filters: {}, paging: { page: 1, perPage: ALL, order } });
  const rows = found.rows.map((each) => [
    chosen(each.name),
    String(each.position),
    chosen(each.version ?? '–'),
    chosen(each.stack ?? 'any'),
    state(each.state),
    [each.enabled ? 'enabled' : 'disabled', ...(each.locked ? ['locked'] : [])].join(', '),
    time(each.updated_at),
  ]);
  const columns = ['Buildpack', 'Position', 'Version', 'Stack', 'State', 'Use', 'Changed'];
  return grid({ caption: 'Buildpacks', columns, rows, none: 'There are none.' });
}

async function stacks(queries: Queries): Promise<string> {
  const order = { column: 'name', direction: 'asc' } as const;
  const found = await listStacks(queries, { filters: {}, paging: { page: 1, perPage: ALL, order } });
  const rows = found.rows.map((each) => [
    html`!${chosen(each.name)}${each.is_default ? ' (default)' : ''}`,
    chosen(each.description ?? '–'),
    chosen(each.state),
    chosen(each.state_reason ?? '–'),
  ]);
  const columns = ['Stack', 'Description', 'State', 'Reason'];
  return grid({ caption: 'Stacks', columns, rows, none: 'There are none.' });
}
