import type { Agent } from '@countersign/agent';

/** One JSON-RPC message of a server, as far as tests read it. */
export interface ServerMessage {
  readonly id?: unknown;
  readonly method?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: Record<string, unknown> };
}

export interface Posted {
  readonly status: number;
  readonly headers: Headers;
  readonly messages: readonly ServerMessage[];
}

/** A client without an SDK, which can send what no SDK sends. Every request is signed. */
export class AttackClient {
  readonly agent: Agent;
  readonly url: string;
  readonly isModern: boolean;
  #session: Record<string, string> = {};
  #id = 0;

  constructor(url: string, agent: Agent, isModern: boolean) {
    this.url = url;
    this.agent = agent;
    this.isModern = isModern;
  }

  get sessionId(): string | undefined {
    return this.#session['mcp-session-id'];
  }

  async open(capabilities: object = { elicitation: {} }): Promise<void> {
    if (this.isModern) return;
    const clientInfo = { name: 'attacker', version: '1' };
    const params = { protocolVersion: '2025-11-25', capabilities, clientInfo };
    const { headers } = await this.post({ jsonrpc: '2.0', id: 'open', method: 'initialize', params });
    const id = headers.get('mcp-session-id');
    this.#session = { 'mcp-protocol-version': '2025-11-25', ...(id !== null && { 'mcp-session-id': id }) };
    await this.post({ jsonrpc: '2.0', method: 'notifications/initialized' });
  }

  /** A well-formed request of the revision. */
  request(method: string, params: object = {}): { readonly message: object; readonly headers: Record<string, string> } {
    this.#id += 1;
    const message = { jsonrpc: '2.0', id: this.#id, method, params };
    if (!this.isModern) return { message, headers: {} };
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'attacker', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
      ...Reflect.get(params, '_meta'),
    };
    const name: unknown = Reflect.get(params, 'name') ?? Reflect.get(params, 'uri');
    return {
      message: { ...message, params: { ...params, _meta } },
      headers: {
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...(typeof name === 'string' && { 'mcp-name': fieldValue(name) }),
      },
    };
  }

  /** Sends one request. The answer is the only message, or the first that has its id. */
  async ask(
    method: string,
    params: object = {},
    headers: Record<string, string> = {},
  ): Promise<Posted & ServerMessage> {
    const { message, headers: own } = this.request(method, params);
    const posted = await this.post(message, { ...own, ...headers });
    const answer = posted.messages.find(({ id }) => id === Reflect.get(message, 'id')) ?? posted.messages[0];
    return { ...answer, ...posted };
  }

  async call(name: string, given: object = {}, headers?: Record<string, string>): Promise<Posted & ServerMessage> {
    // The field that repeats the argument `dataset`, as its schema says.
    const dataset: unknown = Reflect.get(given, 'dataset');
    const repeated = this.isModern && typeof dataset === 'string' ? { 'mcp-param-dataset': dataset } : {};
    return await this.ask('tools/call', { name, arguments: given }, { ...repeated, ...headers });
  }

  async post(body: unknown, headers: Record<string, string> = {}): Promise<Posted> {
    const response = await this.send('POST', typeof body === 'string' ? body : JSON.stringify(body), headers);
    const text = await response.text();
    const isStream = response.headers.get('content-type')?.includes('event-stream') === true;
    return { status: response.status, headers: response.headers, messages: isStream ? events(text) : parsed(text) };
  }

  async send(
    method: string,
    body?: string,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<Response> {
    return await this.agent.fetch(this.url, {
      method,
      headers: {
        accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...this.#session,
        ...headers,
      },
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
    });
  }
}

/** As clients write a name that is no plain ASCII (MCP 2026-07-28). */
function fieldValue(name: string): string {
  const isPlain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(name);
  return isPlain ? name : `=?base64?${Buffer.from(name).toString('base64')}?=`;
}

export function events(text: string): ServerMessage[] {
  const lines = text.split(/\r?\n/).filter((line) => line.startsWith('data:'));
  return lines.flatMap((line) => parsed(line.slice('data:'.length)));
}

function parsed(text: string): ServerMessage[] {
  try {
    return [JSON.parse(text) as ServerMessage | ServerMessage[]].flat();
  } catch {
    return [];
  }
}
