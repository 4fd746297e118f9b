import type { Agent } from '@countersign/agent';

/** One JSON-RPC answer, as far as tests read it. */
export interface Answer {
  readonly id?: unknown;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: Record<string, unknown> };
}

export interface Posted {
  readonly status: number;
  readonly headers: Headers;
  readonly answers: readonly Answer[];
}

/** A client without an SDK, which can send what no SDK sends. */
export class Rpc {
  readonly #url: string;
  readonly #headers: Record<string, string> = {};
  readonly #isModern: boolean;
  #id = 0;

  constructor(url: string, isModern = false) {
    this.#url = url;
    this.#isModern = isModern;
  }

  get sessionId(): string | undefined {
    return this.#headers['mcp-session-id'];
  }

  /** Opens a session as `agent`, if the server keeps any. */
  async open(agent: Agent, capabilities: object = {}): Promise<void> {
    const clientInfo = { name: 'test', version: '1' };
    const params = { protocolVersion: '2025-11-25', capabilities, clientInfo };
    const { headers } = await this.post(agent, { jsonrpc: '2.0', id: 'open', method: 'initialize', params });
    const session = headers.get('mcp-session-id');
    Object.assign(this.#headers, { 'mcp-protocol-version': '2025-11-25' }, session && { 'mcp-session-id': session });
  }

  /** Sends one request, and returns its answer. */
  async call(agent: Agent, method: string, params: object = {}, headers: Record<string, string> = {}): Promise<Answer> {
    const id = ++this.#id;
    const posted = await this.post(
      agent,
      { jsonrpc: '2.0', id, method, ...this.#modern(params, method) },
      {
        ...this.#modernHeaders(method, params),
        ...headers,
      },
    );
    const answer = posted.answers.find((one) => one.id === id) ?? posted.answers[0];
    if (answer === undefined) throw new Error(`no answer, status ${posted.status}`);
    return answer;
  }

  tool(agent: Agent, name: string, given: object = {}, headers?: Record<string, string>): Promise<Answer> {
    return this.call(agent, 'tools/call', { name, arguments: given }, headers);
  }

  async post(agent: Agent, body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Posted> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await agent.fetch(this.#url, {
      method: 'POST',
      body: text,
      ...(signal && { signal }),
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...this.#headers,
        ...headers,
      },
    });
    const answer = await response.text();
    const isStream = response.headers.get('content-type')?.includes('event-stream') === true;
    return { status: response.status, headers: response.headers, answers: isStream ? events(answer) : parsed(answer) };
  }

  #modern(params: object, _method: string): object {
    if (!this.#isModern) return { params };
    const given = Reflect.get(params, '_meta') as object | undefined;
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
      ...given,
    };
    return { params: { ...params, _meta } };
  }

  #modernHeaders(method: string, params: object): Record<string, string> {
    if (!this.#isModern) return {};
    const name: unknown = Reflect.get(params, 'name') ?? Reflect.get(params, 'uri');
    return {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' && { 'mcp-name': name }),
    };
  }
}

function events(text: string): Answer[] {
  const lines = text.split(/\r?\n/).filter((line) => line.startsWith('data:'));
  return lines
    .map((line) => line.slice('data:'.length).trim())
    .filter((data) => data !== '')
    .map((data) => JSON.parse(data) as Answer);
}

function parsed(text: string): Answer[] {
  try {
    return [JSON.parse(text) as Answer | Answer[]].flat();
  } catch {
    return [];
  }
}
