/**
 * Something that is made when it is first asked for. What failed to be made is made anew for the next who asks: a server
 * lives longer than a full disk, or an issuer that is away.
 */
export class MadeOnce<T> {
  #made: Promise<T> | undefined;

  async get(make: () => Promise<T>): Promise<T> {
    this.#made ??= make();
    const made = this.#made;
    try {
      return await made;
    } catch (error) {
      if (this.#made === made) this.#made = undefined;
      throw error;
    }
  }

  /** Undefined when nobody asked for it, or it could not be made. */
  async made(): Promise<T | undefined> {
    return await this.#made?.catch(() => undefined);
  }
}
