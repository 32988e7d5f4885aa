/**
 * kysely's dialect for PGlite, with one caller at a time. As it comes, every caller has the one connection at once: what
 * another asks during a transaction becomes a part of it (and goes when it is undone), and two transactions at once wait
 * for each other forever.
 */
import type { PGlite } from '@electric-sql/pglite';
import { PGliteDialect } from 'kysely';

export class OneAtATimeDialect extends PGliteDialect {
  constructor(pglite: PGlite) {
    super({ pglite });
  }

  override createDriver() {
    const driver = super.createDriver();
    const acquire = driver.acquireConnection.bind(driver);
    const turns = new Turns();
    driver.acquireConnection = async () => {
      await turns.take();
      return await acquire();
    };
    driver.releaseConnection = async () => turns.giveBack();
    return driver;
  }
}

/** Who waits, in the order of asking. */
class Turns {
  readonly #waiting: (() => void)[] = [];
  #taken = false;

  async take(): Promise<void> {
    if (!this.#taken) {
      this.#taken = true;
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    await promise;
  }

  giveBack(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken = false;
    else next();
  }
}
