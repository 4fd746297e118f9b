import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createAgent, generateAgentKey } from '../src/index.js';
import { peek } from '../src/peek.js';
import { recordingServer } from './recording-server.js';

const dist = fileURLToPath(new URL('../dist/index.js', import.meta.url));
const limits = { maxBytes: 4096, seconds: 5 };
const long = `{"code":"other","more":"${'x'.repeat(5000)}"}`;

function problem(body: string, end: boolean): RequestListener {
  return (_request, response) => {
    response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '0' }).write(body);
    if (end) response.end();
  };
}

describe('peek', () => {
  it('reads no more than the chunk that exceeds the limit, and nothing ahead of the caller', async () => {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({ pull: (to) => to.enqueue(new Uint8Array(1000).fill(97 + sent++)) });
    const { text: start, response } = await peek(new Response(body), limits);
    expect(start).toBeUndefined();
    // A stream holds one chunk in its own queue.
    expect(sent).toBeLessThanOrEqual(6);
    const reader = response.body?.getReader();
    const read = [await reader?.read(), await reader?.read()].map((chunk) => chunk?.value?.[0]);
    expect(read).toEqual([97, 98]);
    expect(sent).toBeLessThanOrEqual(6);
  });

  it('cancels the original when the caller cancels', async () => {
    let reason: unknown;
    const body = new ReadableStream<Uint8Array>({
      pull: (to) => to.enqueue(new Uint8Array(5000)),
      cancel: (given) => {
        reason = given;
      },
    });
    const { response } = await peek(new Response(body), limits);
    await response.body?.cancel('enough');
    expect(reason).toBe('enough');
  });

  it('leaves a body that does not end in time to the caller, whole [I7]', async () => {
    let to: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({ start: (given) => void (to = given) });
    to?.enqueue(Buffer.from('one,'));
    const { text: start, response } = await peek(new Response(body), { ...limits, seconds: 0.01 });
    expect(start).toBeUndefined();
    const whole = response.text();
    for (const chunk of ['two,', 'three']) to?.enqueue(Buffer.from(chunk));
    to?.close();
    expect(await whole).toBe('one,two,three');
  });

  it('hands an error of the body to the caller that reads it', async () => {
    const body = new ReadableStream<Uint8Array>({ start: (to) => to.error(new Error('reset')) });
    const { text: start, response } = await peek(new Response(body, { status: 503 }), limits);
    expect([start, response.status]).toEqual([undefined, 503]);
    await expect(response.text()).rejects.toThrow('reset');
  });
});

describe('fetch, answered with long problem details', () => {
  it('keeps status, headers, URL, type and body, also in a clone', async () => {
    await using server = await listening(problem(long, true));
    const agent = await createAgent({ id: 'agent-a', key: generateAgentKey() });
    const response = await agent.fetch(`${server.url}/a`);
    for (const answer of [response.clone().clone(), response]) {
      expect(answer).toMatchObject({ status: 503, url: `${server.url}/a`, redirected: false, type: 'basic' });
      expect(answer.headers.get('retry-after')).toBe('0');
      expect(await answer.text()).toBe(long);
    }
  });

  it('keeps a reason phrase that no Response may be made with [I7]', async () => {
    const phrase = 'Služba nedostupná';
    await using server = await listening((request, response) => {
      response.statusMessage = Buffer.from(phrase).toString('latin1');
      problem('{"code":"other"}', true)(request, response);
    });
    const agent = await createAgent({ id: 'agent-a', key: generateAgentKey() });
    const response = await agent.fetch(`${server.url}/a`);
    for (const answer of [response.clone(), response]) {
      expect(answer).toMatchObject({ status: 503, statusText: phrase });
      expect(await answer.json()).toEqual({ code: 'other' });
    }
  });

  // The package as built: Node 20 runs no TypeScript by itself.
  it.skipIf(!existsSync(dist)).each([
    ['ended', true],
    ['never ends', false],
  ])('leaves the process alive when its body %s, is not read, and the signal aborts [I7]', async (_title, end) => {
    await using server = await listening(problem(long, end));
    const program = `
      import { setTimeout } from 'node:timers/promises';
      import { createAgent, generateAgentKey } from ${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)};
      const agent = await createAgent({ id: 'agent-a', key: generateAgentKey() });
      const controller = new AbortController();
      const { status } = await agent.fetch(${JSON.stringify(server.url)}, { signal: controller.signal });
      controller.abort();
      await setTimeout(100);
      console.log(status);
      process.exit(0);`;
    const flags = ['--unhandled-rejections=strict', '--input-type=module', '--eval', program];
    const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    expect({ out, err, code: code as unknown }).toEqual({ out: '503\n', err: '', code: 0 });
  });
});

async function listening(answer: RequestListener) {
  const server = await recordingServer(answer);
  return { url: server.url, [Symbol.asyncDispose]: () => server.close() };
}
