/** The list of system calls that a starter makes (starter.ts): its entries, and the data that they point at. */
import { CALL_NUMBERS } from './call-numbers.ts';
import { ENTRY_BYTES, LIST_AT, LIST_BYTES, type StarterArch } from './starter.ts';

/** A number, or bytes whose address is handed over; a text ends with a zero byte. */
export type Argument = number | bigint | string | Buffer | Placed;

/** Where bytes that were placed will be. */
export interface Placed {
  readonly address: number;
}

/** What is known of an entry that failed. */
export interface StartFailure {
  /** What the entry was to do. */
  readonly what: string;
  /** As a positive number. */
  readonly errno: number;
}

/** Entries that fit; the data begins after them. */
const MOST_ENTRIES = 1024;
const MUST_SUCCEED = 1n;

/** Collects calls; {@link StartList.bytes} is the file. */
export class StartList {
  readonly #arch: StarterArch;
  readonly #entries: bigint[][] = [];
  readonly #names: string[] = [];
  readonly #data: Buffer[] = [];
  #dataEnd = LIST_AT + MOST_ENTRIES * ENTRY_BYTES;

  constructor(arch: StarterArch) {
    this.#arch = arch;
  }

  /** A call whose failure ends the program; `what` names it for people. */
  must(what: string, call: string, ...args: readonly Argument[]): void {
    this.#add({ what, flags: MUST_SUCCEED, call, args });
  }

  /** A call that may fail. */
  may(call: string, ...args: readonly Argument[]): void {
    this.#add({ what: call, flags: 0n, call, args });
  }

  /** Puts bytes into the list's memory. */
  place(bytes: Buffer | string): Placed {
    const buffer = typeof bytes === 'string' ? Buffer.from(`${bytes}\0`) : bytes;
    const address = this.#dataEnd;
    const padding = (8 - (buffer.length % 8)) % 8;
    this.#data.push(buffer, Buffer.alloc(padding));
    this.#dataEnd += buffer.length + padding;
    return { address };
  }

  /** An array of pointers to texts that ends with a null pointer, as execve(2) wants it. */
  texts(list: readonly string[]): Placed {
    return this.place(words([...list.map((text) => this.place(text).address), 0]));
  }

  bytes(): Buffer {
    const table = Buffer.alloc(MOST_ENTRIES * ENTRY_BYTES);
    for (const [index, entry] of this.#entries.entries()) {
      for (const [word, value] of entry.entries())
        table.writeBigUInt64LE(value, index * ENTRY_BYTES + word * 8);
    }
    if (this.#entries.length > MOST_ENTRIES || this.#dataEnd > LIST_AT + LIST_BYTES)
      throw new RangeError('a start list is too long');
    return Buffer.concat([table, ...this.#data]);
  }

  /** What the entry that a starter wrote to descriptor 3 says. */
  failure(written: Buffer): StartFailure {
    const index = Number(written.readBigUInt64LE(56) >> 8n);
    return { what: this.#names[index] ?? 'a call', errno: Number(-written.readBigInt64LE(0)) };
  }

  #add(entry: {
    readonly what: string;
    readonly flags: bigint;
    readonly call: string;
    readonly args: readonly Argument[];
  }): void {
    const number = CALL_NUMBERS[this.#arch].get(entry.call);
    if (number === undefined) throw new Error(`unreachable: ${entry.call} has no number on ${this.#arch}`);
    const args = [0, 1, 2, 3, 4, 5].map((index) => this.#valueOf(entry.args[index] ?? 0));
    const flags = entry.flags | (BigInt(this.#names.length) << 8n);
    this.#entries.push([BigInt(number), ...args, flags]);
    this.#names.push(entry.what);
  }

  #valueOf(argument: Argument): bigint {
    if (typeof argument === 'bigint') return BigInt.asUintN(64, argument);
    if (typeof argument === 'number') return BigInt.asUintN(64, BigInt(argument));
    if (typeof argument === 'string' || Buffer.isBuffer(argument))
      return BigInt(this.place(argument).address);
    return BigInt(argument.address);
  }
}

/** Eight bytes each, as the machine has them. */
export function words(values: readonly (number | bigint)[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8);
  for (const [index, value] of values.entries())
    bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), index * 8);
  return bytes;
}
