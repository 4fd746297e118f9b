import { readFile } from 'node:fs/promises';
import { AgentError, createAgent, type Signer } from '@countersign/agent';
import { credentialFields, escapeUnprintable } from '@countersign/common';
import { CliError, exitCodes, messageOf } from '../cli-error.js';
import { guidePage } from '../guide-page.js';
import { hintFor } from '../hints/index.js';
import { coloursFor, type Io } from '../io.js';
import { printable } from '../text.js';
import { readHeaders } from './headers.js';
import { delegateOf, type HeldOptions, readHeld, signerWith } from './held.js';
import { readKeyFile } from './key-file.js';

export interface CurlOptions extends HeldOptions {
  readonly key: string;
  readonly header: readonly string[];
  readonly data?: string;
  readonly json?: string;
  readonly agent?: string;
  readonly verbose: boolean;
  readonly dangerouslyAllowHttp: boolean;
}

/** Sends one signed request and prints the answer. Returns the exit code. */
export async function curl(method: string, url: string, options: CurlOptions, io: Io): Promise<number> {
  const headers = readHeaders(options.header);
  const body = await readBody(options, headers, io);
  const held = await readHeld(options, io);
  const key = await readKeyFile(options.key, io);
  const agent = await createAgent({
    id: options.agent ?? delegateOf(held) ?? key.thumbprint,
    key,
    clock: io.clock,
    fetch: options.verbose ? showing(io) : io.fetch,
    dangerouslyAllowHttp: options.dangerouslyAllowHttp,
  });
  if (options.verbose) io.err(`* agent ${printable(agent.id)}, key ${agent.keyId}\n`);
  const response = await send(signerWith(agent, held), method, url, headers, body);
  return printAnswer(response, io);
}

async function send(
  signer: Signer,
  method: string,
  url: string,
  headers: Headers,
  body: Uint8Array<ArrayBuffer> | undefined,
): Promise<Response> {
  const upper = method.toUpperCase();
  try {
    return await signer.fetch(url, {
      method: upper,
      headers,
      redirect: 'manual',
      ...(body === undefined ? {} : { body }),
    });
  } catch (error) {
    // An error of the agent or of the URL parser means that nothing was sent; any other error is the network.
    const wrongUse = error instanceof AgentError || (error instanceof TypeError && error.message !== 'fetch failed');
    throw new CliError(`${upper} ${url}: ${messageOf(error)}`, wrongUse ? exitCodes.usage : exitCodes.failed);
  }
}

async function printAnswer(response: Response, io: Io): Promise<number> {
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json') === true;
  if (response.ok || !isProblem) {
    let last: number | undefined;
    for await (const chunk of response.body ?? []) {
      const bytes = chunk as Uint8Array;
      io.out(bytes);
      last = bytes.at(-1) ?? last;
    }
    if (last !== undefined && last !== LINE_FEED && isTerminal(io)) io.out('\n');
    if (response.ok) {
      if (isTerminal(io)) io.err(`${coloursFor(io.colour.err).dim(statusLine(response))}\n`);
      return exitCodes.ok;
    }
    io.err(`${coloursFor(io.colour.err).red('countersign:')} the API answered ${statusLine(response)}\n`);
    if (response.status === 401 && !response.headers.has('accept-signature')) io.err(othersLogin);
    return exitCodes.refused;
  }
  const text = await response.text();
  const problem = problemIn(text);
  io.out(isTerminal(io) ? `${printableLines(withoutExplanation(text, problem))}\n` : text);
  io.err(`${coloursFor(io.colour.err).red('countersign:')} refused with ${statusLine(response)}${inWords(problem)}\n`);
  return exitCodes.refused;
}

/** A guard says what to sign, whatever form its refusals have. */
const othersLogin = `  This answer is not the guard's: the application's own login may have refused the agent.
  Let it skip requests of agents: ${guidePage('adopt-login')}
`;

/** The body of a refusal may quote what anybody sent. */
function printableLines(text: string): string {
  return text.split('\n').map(escapeUnprintable).join('\n');
}

const LINE_FEED = 0x0a;

/** Without a terminal, every byte is printed unchanged. */
function isTerminal(io: Io): boolean {
  return io.columns?.() !== undefined;
}

function problemIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** The body without the explanation, which is printed below as text. */
function withoutExplanation(text: string, problem: Readonly<Record<string, unknown>>): string {
  const { explanation, ...rest } = problem;
  return typeof explanation === 'string' ? JSON.stringify(rest) : text.trimEnd();
}

function inWords({ code, title, explanation }: Readonly<Record<string, unknown>>): string {
  const hint = hintFor(code);
  const known = typeof code === 'string' ? `\n  ${printable(code)}: ${printable(String(title))}` : '';
  const reasons = typeof explanation === 'string' ? explanation.split('\n') : [];
  return [known, ...(hint === undefined ? [] : [hint]), ...reasons.map((line) => printable(line))].join('\n  ');
}

function statusLine({ status, statusText }: Response): string {
  return printable(`${status} ${statusText}`.trim());
}

async function readBody(
  { data, json }: CurlOptions,
  headers: Headers,
  io: Io,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (data !== undefined && json !== undefined) throw new CliError('give --data or --json, not both', exitCodes.usage);
  const given = json ?? data;
  if (given === undefined) return undefined;
  if (!headers.has('content-type')) {
    headers.set('content-type', json === undefined ? 'application/x-www-form-urlencoded' : 'application/json');
  }
  if (given === '@-') return new Uint8Array(await io.stdin());
  return new Uint8Array(given.startsWith('@') ? await readFile(given.slice(1)) : Buffer.from(given));
}

/** A fetch that prints the request and the response without the secret part of credentials. */
function showing(io: Io): typeof fetch {
  const { dim } = coloursFor(io.colour.err);
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const sent = new Headers(init?.headers);
    io.err(dim(`> ${init?.method ?? 'GET'} ${printable(url)}`) + '\n');
    for (const [name, value] of sent) io.err(dim(`> ${name}: ${printable(redact(name, value))}`) + '\n');
    const response = await io.fetch(input, init);
    io.err(`< ${statusLine(response)}\n`);
    for (const [name, value] of response.headers) io.err(`< ${name}: ${printable(value)}\n`);
    return response;
  };
}

const secretFields: ReadonlySet<string> = new Set([...credentialFields, 'cookie']);

function redact(name: string, value: string): string {
  return secretFields.has(name) ? `[${value.length} characters]` : value;
}
