/** The start command, where the app has no Procfile. */
import type { LaunchProcess } from '../../kit/index.ts';
import type { App } from './package-json.ts';

/** `npm start` when there is such a script, else `node server.js` when there is such a file, else none. */
export function startProcesses(app: App): LaunchProcess[] {
  if (app.json.scripts['start'] !== undefined) return [{ type: 'web', command: 'npm start' }];
  if (app.files.has('server.js')) return [{ type: 'web', command: 'node server.js' }];
  return [];
}
