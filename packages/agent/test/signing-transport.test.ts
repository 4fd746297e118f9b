import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAgent, generateAgentKey, type Signer, signingTransport } from '../src/index.js';
import { field, type RecordingServer, recordingServer, verify } from './recording-server.js';

const key = generateAgentKey();
let server: RecordingServer;
let other: RecordingServer;
let signer: Signer;

beforeAll(async () => {
  server = await recordingServer();
  other = await recordingServer();
  signer = (await createAgent({ id: 'agent-a', key })).withToken('eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln');
});
afterAll(async () => {
  await server.close();
  await other.close();
});

describe('signingTransport', () => {
  it('signs what goes to the server, each time anew, with the fields of MCP', async () => {
    const { fetch } = signingTransport(signer, `${server.url}/mcp`);
    const init = {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json', 'mcp-session-id': 's', 'last-event-id': '1' },
    };
    await fetch(new URL(`${server.url}/mcp`), init);
    const first = field(server.last(), 'signature-input');
    expect(first).toContain('"mcp-session-id" "last-event-id"');
    expect(await verify(server.last(), key)).toMatchObject({ ok: true });
    await fetch(`${server.url}/mcp?x=1`, init);
    expect(field(server.last(), 'signature-input')).not.toBe(first);
  });

  it('signs nothing for another origin or path, and keeps the token from it [E8]', async () => {
    const { fetch } = signingTransport(signer, `${server.url}/mcp`);
    for (const [at, url] of [
      [other, `${other.url}/mcp`],
      [server, `${server.url}/.well-known/oauth-protected-resource`],
      [server, `${server.url}/mcp/`],
      [server, `${server.url}/token`],
    ] as const) {
      await fetch(url, { method: 'POST', body: 'x' });
      expect(field(at.last(), 'signature-input'), url).toBeUndefined();
      expect(field(at.last(), 'authorization'), url).toBeUndefined();
    }
  });

  it('needs the URL of the server', () => {
    expect(() => signingTransport(signer, '/mcp')).toThrow("'url' must be the URL");
  });
});
