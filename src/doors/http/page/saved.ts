/** `/saved`: how many pushed bytes did not have to be sent. */
import { html } from 'ghtml';
import { savedBytes } from '../../../service/resources/saved-bytes.ts';
import { formatBytes } from '../../../words/units.ts';
import { route } from '../route/define-route.ts';
import { answerPage, PAGE } from './layout.ts';
import { bytes, chosen, grid } from './parts.ts';

const MOST_APPS = 200;

export const savedPage = route({
  method: 'GET',
  path: '/saved',
  summary: 'Show how many bytes of packages were not sent',
  access: 'signed-in',
  answers: PAGE,
  handle: async (call) => {
    const apps = await savedBytes(call.service.database.queries, call.caller, MOST_APPS);
    const whole = apps.reduce((sum, app) => sum + app.whole, 0);
    const sent = apps.reduce((sum, app) => sum + app.sent, 0);
    const rows = apps.map((app) => [
      html`<a href="/apps/${app.app}">!${chosen(app.name)}</a>`,
      String(app.packages),
      bytes(app.whole),
      bytes(app.sent),
      bytes(Math.max(0, app.whole - app.sent)),
    ]);
    const columns = ['App', 'Packages', 'Total size', 'Sent', 'Saved'];
    const main = html`<h1>Saved bytes</h1>
      <p>Clients send only files that none of their spaces has stored yet, compressed. Of
        ${formatBytes(whole)} in the packages below, ${formatBytes(sent)} came over the network:
        <strong>${formatBytes(Math.max(0, whole - sent))} saved</strong>.</p>
      !${grid({ caption: 'Saved bytes by app', columns, rows, none: 'Nothing has been pushed yet.' })}`;
    return answerPage(call, { title: 'Saved bytes', main });
  },
});
