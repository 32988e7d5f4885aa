/** Writes the tables of docs/cli.md that follow from the program: `node scripts/docs.ts`. A test compares them. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { cliPage } from '../test/support/cli-page.ts';

const file = fileURLToPath(new URL('../docs/cli.md', import.meta.url));
await writeFile(file, cliPage(await readFile(file, 'utf8')));
