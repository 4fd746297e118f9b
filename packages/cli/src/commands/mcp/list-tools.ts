import { createInterface } from 'node:readline';
import { CliError, messageOf } from '../../cli-error.js';
import { printable } from '../../text.js';
import { start } from './stdio.js';

/** A tool as its server lists it. */
export interface ListedTool {
  readonly name: string;
  readonly annotations?: { readonly readOnlyHint?: unknown; readonly destructiveHint?: unknown };
}

/** Sends one message, in a revision of MCP. Resolves to the result of a request. */
type Exchange = (
  message: Readonly<Record<string, unknown>> & { readonly method: string },
  version?: string,
) => Promise<Readonly<Record<string, unknown>>>;

const sessionVersion = '2025-11-25';
/** The first revision without sessions: each request says what it needs. */
const requestVersion = '2026-07-28';
const clientInfo = { name: 'countersign', version: '1' };
/** A server whose cursor never ends must not keep us for ever. */
const mostPages = 1000;

/** Asks a server that talks over standard input and output. @throws CliError when it does not answer. */
export async function toolsOfCommand(command: readonly string[]): Promise<readonly ListedTool[]> {
  const child = await start(command);
  child.stdin.on('error', () => undefined); // it ended: its output ends too, which is what we report
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  try {
    return await listTools(async (message) => {
      child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
      if (message['id'] === undefined) return {};
      for (;;) {
        const { value, done } = await lines.next();
        if (done === true) throw new CliError('the server ended without an answer: run its command alone to see why');
        const result = resultIn(value, message['id']);
        if (result !== undefined) return result;
      }
    });
  } finally {
    child.stdin.end();
    child.kill();
  }
}

/** Asks a server over HTTP. @throws CliError when it does not answer. */
export async function toolsAt(url: string, headers: Headers, send: typeof fetch): Promise<readonly ListedTool[]> {
  const fields = new Headers(headers);
  fields.set('accept', 'application/json, text/event-stream');
  fields.set('content-type', 'application/json');
  return await listTools(async (message, version) => {
    if (version !== undefined) fields.set('mcp-protocol-version', version);
    if (version === requestVersion) fields.set('mcp-method', message.method);
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    const answer = await send(url, { method: 'POST', headers: fields, body, redirect: 'error' }).catch(
      (error: unknown) => {
        throw new CliError(`${printable(url)} cannot be reached: ${messageOf(error)}`);
      },
    );
    if (!answer.ok) throw new CliError(`${printable(url)} answered ${answer.status}`);
    const session = answer.headers.get('mcp-session-id');
    if (session !== null) fields.set('mcp-session-id', session);
    if (message['id'] === undefined) return {};
    const text = await answer.text();
    // Each message of an event stream is on a line of its own here: JSON has no line breaks of its own.
    const lines = text.split(/\r\n|\r|\n/).map((line) => line.replace(/^data: ?/, ''));
    for (const line of [text, ...lines]) {
      const result = resultIn(line, message['id']);
      if (result !== undefined) return result;
    }
    throw new CliError(`${printable(url)} gave no answer that can be read`);
  });
}

async function listTools(exchange: Exchange): Promise<readonly ListedTool[]> {
  let problem: unknown;
  const version = await openSession(exchange).catch((error: unknown) => {
    problem = error;
  });
  if (version !== undefined)
    return await listPages((params, id) => exchange({ id, method: 'tools/list', params }, version));
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': requestVersion,
    'io.modelcontextprotocol/clientInfo': clientInfo,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  try {
    return await listPages((params, id) =>
      exchange({ id, method: 'tools/list', params: { ...params, _meta } }, requestVersion),
    );
  } catch {
    // It is no server of the other revision either.
    throw problem;
  }
}

async function openSession(exchange: Exchange): Promise<string> {
  const params = { protocolVersion: sessionVersion, capabilities: {}, clientInfo };
  const { protocolVersion } = await exchange({ id: 'initialize', method: 'initialize', params });
  const version = typeof protocolVersion === 'string' ? protocolVersion : sessionVersion;
  await exchange({ method: 'notifications/initialized' }, version);
  return version;
}

async function listPages(
  ask: (params: object, id: number) => Promise<Readonly<Record<string, unknown>>>,
): Promise<readonly ListedTool[]> {
  const tools: ListedTool[] = [];
  let cursor: unknown;
  for (let page = 0; page < mostPages; page += 1) {
    const result = await ask(cursor === undefined ? {} : { cursor }, page);
    if (!Array.isArray(result['tools'])) throw new CliError('the server lists no tools');
    tools.push(...result['tools'].filter(isTool));
    cursor = result['nextCursor'];
    if (cursor === undefined) return tools;
  }
  throw new CliError('the list of tools does not end');
}

function isTool(tool: unknown): tool is ListedTool {
  return typeof tool === 'object' && tool !== null && 'name' in tool && typeof tool.name === 'string';
}

/** The result in an answer with this id; undefined for any other message. @throws CliError when it is an error. */
function resultIn(text: string, id: unknown): Readonly<Record<string, unknown>> | undefined {
  const message = parsed(text);
  if (typeof message !== 'object' || message === null || !('id' in message) || message.id !== id) return undefined;
  if ('result' in message && typeof message.result === 'object' && message.result !== null) {
    return message.result as Readonly<Record<string, unknown>>;
  }
  throw new CliError(`the server refused: ${printable(JSON.stringify('error' in message ? message.error : message))}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
