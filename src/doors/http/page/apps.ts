/** `/`: the apps that the caller sees. */
import { html } from 'ghtml';
import { z } from 'zod';
import { listApps } from '../../../service/resources/apps.ts';
import { organizationsOf } from '../../../service/resources/organizations.ts';
import { spacesOf } from '../../../service/resources/spaces.ts';
import { route } from '../route/define-route.ts';
import type { CallContext } from '../route/route.ts';
import { answerPage, PAGE } from './layout.ts';
import { PageNumber, PER_PAGE, pagesOf } from './paging.ts';
import { chosen, grid, pager, time } from './parts.ts';

export const appsPage = route({
  method: 'GET',
  path: '/apps',
  summary: 'List apps',
  access: 'signed-in',
  query: z.object({ page: PageNumber }),
  answers: PAGE,
  handle: async (call) => {
    const { caller, service, query } = call;
    const order = { column: 'name', direction: 'asc' } as const;
    const paging = { page: query.page, perPage: PER_PAGE, order };
    const found = await listApps(service.database.queries, caller, { filters: {}, paging });
    const places = await placesOf(call, found.rows);
    const rows = found.rows.map((app) => {
      const place = places.get(app.space_guid);
      return [
        html`<a href="/apps/${app.guid}">!${chosen(app.name)}</a>`,
        chosen(place?.organization ?? ''),
        chosen(place?.space ?? ''),
        chosen(app.stack ?? 'default'),
        time(app.updated_at),
      ];
    });
    const columns = ['App', 'Organization', 'Space', 'Stack', 'Changed'];
    const none = 'There are no apps that you can see. Create one with cf push.';
    const main = html`<h1>Apps</h1>
      !${grid({ caption: 'Apps', columns, rows, none })}
      !${pager({ page: query.page, pages: pagesOf(found) }, (page) => `/?page=${page}`, 'apps')}`;
    return answerPage(call, { title: 'Apps', main });
  },
});

/** Names of spaces and of their organizations, by the guid of the space. */
async function placesOf(
  { caller, service }: Pick<CallContext, 'caller' | 'service'>,
  apps: Awaited<ReturnType<typeof listApps>>['rows'],
) {
  const { queries } = service.database;
  const spaces = await spacesOf(queries, caller, [...new Set(apps.map((app) => app.space_guid))]);
  const guids = [...new Set(spaces.map((space) => space.organization_guid))];
  const organizations = await organizationsOf(queries, caller, guids);
  const names = new Map(organizations.map(({ guid, name }) => [guid, name]));
  return new Map(
    spaces.map(({ guid, name, organization_guid }) => [
      guid,
      { space: name, organization: names.get(organization_guid) ?? '' },
    ]),
  );
}
