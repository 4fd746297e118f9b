import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { expect } from 'vitest';
import { holdIncoming } from '../../../src/stages/body/incoming-body.js';
import type { BodyFailure, BodyLimits, Digests, RequestBody } from '../../../src/model/request-body.js';
import { sendRefusal } from '../../../src/adapter/send-refusal.js';
import { refusal } from '../../../src/model/refusal.js';
import { refusalResponse } from '../../../src/model/refusal-response.js';
import { chunkedHead, post as plainPost, type RawClient, serve, type TestServer } from '../../adapter/raw-http.js';
import { limits } from './limits.js';

export interface Story {
  readonly limits?: BodyLimits;
  /** Runs before the body is held, as a middleware in front of the guard. */
  readonly before?: (request: IncomingMessage) => void | Promise<void>;
  /** Runs between `holdIncoming` and `accept`, as the check of the signature does. */
  readonly between?: (body: RequestBody, request: IncomingMessage) => void | Promise<void>;
  readonly handle?: (request: IncomingMessage) => Promise<Buffer>;
  readonly onAccepted?: (failure: BodyFailure | undefined) => void;
}

/** Holds, then answers with the body as the handler read it, or with the refusal. */
export function guarded(story: Story = {}): Promise<TestServer> {
  const { limits: given = limits(), handle = readAll } = story;
  async function serveOne(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const before = story.before?.(request);
    if (before !== undefined) await before;
    const body = holdIncoming(request);
    await story.between?.(body, request);
    response.once('close', () => void body.discard());
    const failure = await body.accept(given, statedDigests(request));
    story.onAccepted?.(failure);
    if (failure !== undefined) {
      void body.discard();
      sendRefusal(response, refusalResponse(refusal(failure.code), ''));
      return;
    }
    body.release();
    response.end(await handle(request));
  }
  return serve((request, response) => {
    serveOne(request, response).catch((error: unknown) => {
      response.statusCode = 599;
      response.end(String(error));
    });
  });
}

/** The digests that a client of a test states, each in a field of its own. */
export function statedDigests({ headers }: IncomingMessage): Digests {
  const stated = { 'sha-256': headers['digest'], 'sha-512': headers['digest-512'] } as const;
  const names = ['sha-256', 'sha-512'] as const;
  const present = names.filter((name) => stated[name] !== undefined);
  return new Map(present.map((name) => [name, Buffer.from(String(stated[name]), 'hex')]));
}

/** Fields that state the digests of a body. */
function digestFields(body: string | Uint8Array): readonly string[] {
  return [`Digest: ${sha256(body)}`, `Digest-512: ${createHash('sha512').update(body).digest('hex')}`];
}

/** A request that states the digests of its body, or of another one. */
export function post(body: string | Uint8Array, fields: readonly string[] = [], signed = body): Buffer {
  return plainPost(body, [...digestFields(signed), ...fields]);
}

/** The head of a chunked request that states the digests of its body. */
export function chunkedHeadOf(body: string | Uint8Array): string {
  return chunkedHead.replace('\r\n\r\n', `\r\n${digestFields(body).join('\r\n')}\r\n\r\n`);
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
