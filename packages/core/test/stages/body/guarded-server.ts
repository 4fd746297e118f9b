import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { expect } from 'vitest';
import { holdIncoming } from '../../../src/stages/body/held-incoming.js';
import type { BodyLimits, HeldBody, RequestBody } from '../../../src/stages/body/request-body.js';
import { sendRefusal } from '../../../src/adapter/send-refusal.js';
import { refusal, refusalResponse } from '../../../src/model/refusal.js';
import { post, type RawClient, serve, type TestServer } from '../../adapter/raw-http.js';
import { limits } from './limits.js';

export interface Story {
  readonly limits?: BodyLimits;
  /** Runs before the body is held, as a middleware in front of the guard. */
  readonly before?: (request: IncomingMessage) => void | Promise<void>;
  /** Runs between `holdIncoming` and `hold`, as the check of the signature does. */
  readonly between?: (body: RequestBody, request: IncomingMessage) => void | Promise<void>;
  readonly handle?: (request: IncomingMessage) => Promise<Buffer>;
  readonly onHeld?: (held: HeldBody) => void;
}

/** Holds, then answers with the body as the handler read it, or with the refusal. */
export function guarded(story: Story = {}): Promise<TestServer> {
  const { limits: given = limits(), handle = readAll } = story;
  async function serveOne(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const before = story.before?.(request);
    if (before !== undefined) await before;
    const body = holdIncoming(request);
    await story.between?.(body, request);
    response.once('close', () => body.discard());
    const held = await body.hold(given, ['sha-256', 'sha-512']);
    story.onHeld?.(held);
    if (!held.ok) {
      body.discard();
      sendRefusal(response, refusalResponse(refusal(held.code), ''));
      return;
    }
    body.release();
    const read = await handle(request);
    response.setHeader('digest-held', Buffer.from(held.digests.get('sha-256') ?? []).toString('hex'));
    response.setHeader('digest-512', Buffer.from(held.digests.get('sha-512') ?? []).toString('hex'));
    response.setHeader('held-length', held.length);
    response.end(read);
  }
  return serve((request, response) => {
    serveOne(request, response).catch((error: unknown) => {
      response.statusCode = 599;
      response.end(String(error));
    });
  });
}

export async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const part of request) chunks.push(part as Buffer);
  return Buffer.concat(chunks);
}

export function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export async function expectUsable(client: RawClient): Promise<void> {
  await client.send(post('the next one'));
  expect(await client.response()).toMatchObject({ status: 200, body: 'the next one' });
}

/** The client has to wait: nothing comes in any more. */
export async function untilStalled({ socket }: IncomingMessage): Promise<void> {
  let idle = 0;
  for (let last = -1; idle < 50; await setImmediate()) {
    idle = socket.bytesRead === last ? idle + 1 : 0;
    last = socket.bytesRead;
  }
}

export const readers: Record<string, (request: IncomingMessage) => Promise<Buffer>> = {
  'for await': readAll,
  'data events': async (request) => {
    const chunks: Buffer[] = [];
    request.on('data', (part: Buffer) => chunks.push(part));
    await once(request, 'end');
    return Buffer.concat(chunks);
  },
  'readable and read()': async (request) => {
    const chunks: Buffer[] = [];
    request.on('readable', () => {
      for (let part = request.read(1000) as Buffer | null; part !== null; part = request.read(1000) as Buffer | null) {
        chunks.push(part);
      }
      const rest = request.read() as Buffer | null;
      if (rest !== null) chunks.push(rest);
    });
    await once(request, 'end');
    return Buffer.concat(chunks);
  },
  pipe: async (request) => {
    const through = new PassThrough();
    const [read] = await Promise.all([readAll(through as unknown as IncomingMessage), pipeline(request, through)]);
    return read;
  },
};
