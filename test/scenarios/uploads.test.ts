import { createWriteStream, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Guard, Resource } from '@countersign/core';
import { agentAuth as expressAuth, permit as expressPermit } from '@countersign/express';
import { agentAuth as fastifyAuth, permit as fastifyPermit } from '@countersign/fastify';
import { type AgentState, agentAuth as koaAuth, permit as koaPermit } from '@countersign/koa';
import fastifyMultipart from '@fastify/multipart';
import koaMulter from '@koa/multer';
import { Router } from '@koa/router';
import express5 from 'express';
import express4 from 'express4';
import { fastify } from 'fastify';
import Koa3 from 'koa';
import Koa2 from 'koa2';
import multer from 'multer';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Guarded, guarded, send, serve, signed, unsigned } from '../support/guarded.js';
import { type RawRequest, tampered, withFields } from '../support/signed-request.js';

/** An app that stores uploads to `POST /:name` in a folder, with the usual parser of its framework. */
type Uploads = (guard: Guard, dest: string) => RequestListener | Promise<RequestListener>;

function fileOf({ params }: { readonly params: Readonly<Record<string, unknown>> }): Resource {
  return { type: 'File', id: String(params['name']) };
}

function onExpress(express: typeof express5): Uploads {
  return (guard, dest) => {
    const app = express();
    app.use(expressAuth(guard));
    app.post('/:name', expressPermit('file.put', fileOf), multer({ dest }).single('file'), (_req, res) => {
      res.send('stored');
    });
    return app;
  };
}

function onKoa(Koa: typeof Koa3): Uploads {
  return (guard, dest) => {
    const router = new Router<AgentState>();
    router.post('/:name', koaPermit('file.put', fileOf), koaMulter({ dest }).single('file'), (ctx) => {
      ctx.body = 'stored';
    });
    const app = new Koa<AgentState>();
    app.use(koaAuth(guard)).use(router.routes());
    const listener = app.callback();
    return (request, response) => void listener(request, response);
  };
}

const onFastify: Uploads = async (guard, dest) => {
  const app = fastify();
  await app.register(fastifyAuth, { guard });
  await app.register(fastifyMultipart);
  app.post('/:name', fastifyPermit('file.put', fileOf), async (request) => {
    const part = await request.file();
    if (part !== undefined) await pipeline(part.file, createWriteStream(join(dest, 'file')));
    return 'stored';
  });
  await app.ready();
  return app.routing;
};

const frameworks: readonly (readonly [string, Uploads])[] = [
  ['Express 4 with multer', onExpress(express4 as unknown as typeof express5)],
  ['Express 5 with multer', onExpress(express5)],
  ['Fastify 5 with @fastify/multipart', onFastify],
  ['Koa 2 with @koa/multer', onKoa(Koa2)],
  ['Koa 3 with @koa/multer', onKoa(Koa3)],
];

const content = 'line one\r\nline two \xff'.repeat(2000);

function form(target: string, text = content): RawRequest {
  const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\n';
  const body = Buffer.from(`${head}${text}\r\n--b--\r\n`, 'latin1');
  return signed({ method: 'POST', target, body, contentType: 'multipart/form-data; boundary=b' });
}

describe.each(frameworks)('An upload, on %s', (_name, uploads) => {
  async function start(): Promise<{
    parts: Guarded;
    dest: string;
    post(request: RawRequest): ReturnType<typeof send>;
  }> {
    const dest = mkdtempSync(join(tmpdir(), 'countersign-uploads-'));
    onTestFinished(() => rmSync(dest, { recursive: true }));
    const parts = await guarded();
    const server = await serve(await uploads(parts.guard, dest));
    onTestFinished(() => server[Symbol.asyncDispose]());
    return { parts, dest, post: (request) => send(server.url, request) };
  }

  it('is stored with exactly the signed bytes [A4]', async () => {
    const { dest, post } = await start();
    expect(await post(form('/one'))).toMatchObject({ status: 200, body: 'stored' });
    const [file = ''] = readdirSync(dest);
    expect(readFileSync(join(dest, file), 'latin1')).toBe(content);
  });

  it('does not reach the parser or its storage when it is refused [A4, G2]', async () => {
    const { parts, dest, post } = await start();
    const genuine = form('/one');
    const forged = Buffer.from(genuine.body);
    forged[100] = (forged[100] ?? 0) ^ 1;
    const attacks = [
      ['digest_mismatch', tampered(genuine, { body: forged })],
      ['signature_invalid', tampered(form('/one'), { target: '/two' })],
      ['signature_required', unsigned({ method: 'POST', target: '/one' })],
      ['credential_uncovered', withFields(form('/one'), ['Agent-Delegation', 'x'])],
      ['policy_denied', form('/forbidden')],
    ] as const;
    for (const [code, request] of attacks) {
      expect(JSON.parse((await post(request)).body)).toMatchObject({ code });
      expect(readdirSync(dest)).toEqual([]);
    }
    expect(parts.audit.records.map(({ code }) => code)).toEqual(attacks.map(([code]) => code));
  });
});
