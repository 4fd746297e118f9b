import { STATUS_CODES } from 'node:http';
import type { Terminal } from './terminal.js';

/** The expected result of a scene. */
export interface Expected {
  readonly status: number;
  /** The code of a refusal. */
  readonly code?: string;
}

/** Thrown when a response of the story is not the expected one. */
export class UnexpectedTurn extends Error {
  override readonly name = 'UnexpectedTurn';
}

const requestWidth = 34;
const statusWidth = '401 Unauthorized'.length;
const labelWidth = 11;

/** Tells the story scene by scene, and stops it as soon as an answer is not the expected one. */
export class Telling {
  /** The codes of all refusals so far. */
  readonly refusals: string[] = [];
  /** Between the members of a chain. */
  readonly arrow: string;
  readonly #terminal: Terminal;
  #scenes = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    this.arrow = ` ${terminal.arrow} `;
  }

  scene(title: string): void {
    this.heading(`${++this.#scenes}  ${title}`);
  }

  heading(text: string): void {
    const { bold, line } = this.#terminal;
    line();
    line(bold(text));
  }

  /** Shows what was asked and answered. Resolves to the body. */
  async answer<Body>(request: string, response: Response, { status, code }: Expected): Promise<Body> {
    const { yes, no, good, bad, line } = this.#terminal;
    const body = readJson(await response.text());
    const refusal = codeOf(body);
    if (refusal !== undefined) this.refusals.push(refusal);
    const asExpected = response.status === status && refusal === code;
    const answered = spell({ status: response.status, ...(refusal === undefined ? {} : { code: refusal }) });
    const paint = response.status < 400 ? good : bad;
    line(`   ${asExpected ? good(yes) : bad(no)} ${request.padEnd(requestWidth)} ${paint(answered)}`);
    if (!asExpected) {
      throw new UnexpectedTurn(
        `expected ${spell({ status, ...(code === undefined ? {} : { code }) })}, got ${answered}`,
      );
    }
    return body as Body;
  }

  note(label: string, text: string): void {
    const { dim, line } = this.#terminal;
    line(`     ${dim(label.padEnd(labelWidth))} ${text}`);
  }

  /** Stops the story unless this holds. */
  insist(holds: boolean, what: string): void {
    if (!holds) throw new UnexpectedTurn(`expected ${what}`);
  }
}

function spell({ status, code }: Expected): string {
  const spelt = `${status} ${STATUS_CODES[status] ?? ''}`;
  return code === undefined ? spelt : `${spelt.padEnd(statusWidth)}  ${code}`;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** RFC 9457 problem details carry the code of a refusal. */
function codeOf(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('code' in body)) return undefined;
  return String(body.code);
}
