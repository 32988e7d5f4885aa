/**
 * Writes the parts of docs/ that follow from the program: `node scripts/docs.ts`. Tests compare them. The library's
 * reference comes from the declarations in dist/, so `npm run build` first.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { apiPage } from '../test/support/api-page.ts';
import { cliPage } from '../test/support/cli-page.ts';
import { compatibilityPage } from '../test/support/compatibility-page.ts';

const file = fileURLToPath(new URL('../docs/cli.md', import.meta.url));
await writeFile(file, cliPage(await readFile(file, 'utf8')));

const compatibility = fileURLToPath(new URL('../docs/cf-compatibility.md', import.meta.url));
await writeFile(compatibility, compatibilityPage(await readFile(compatibility, 'utf8')));

const api = fileURLToPath(new URL('../docs/api/', import.meta.url));
await mkdir(api, { recursive: true });
await writeFile(`${api}README.md`, apiPage());
