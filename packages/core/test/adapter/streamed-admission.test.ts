import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import {
  agentId,
  type Guarded,
  guarded,
  outcomeOf,
  send,
  serve,
  signed,
  unsigned,
} from '../../../../test/support/guarded.js';
import { Connection } from '../../../../test/support/connection.js';
import { serialized, tampered } from '../../../../test/support/signed-request.js';
import { type AuditEvent, memoryAudit } from '@countersign/audit';
import { admissionOf } from '../../src/adapter/admission.js';
import { admit } from '../../src/adapter/admit.js';
import type { AdmissionOptions } from '../../src/adapter/options.js';
import { enforcePermission } from '../../src/adapter/permission.js';
import { type Respond, sendRefusal } from '../../src/adapter/send-refusal.js';
import { Deferred } from '../deferred.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** A server behind a guard that streams the bodies of PUT. */
function streaming({ guard }: Guarded, handle: Handler, options: AdmissionOptions = {}): ReturnType<typeof serve> {
  const chosen = { streamBody: ({ method }: IncomingMessage) => method === 'PUT', ...options };
  return serve((request, response) => {
    const exchange = { request, response, target: request.url ?? '' };
    admit(() => guard, exchange, chosen)
      .then(async (admitted) => {
        if (admitted) await handle(request, response);
      })
      .catch((error: unknown) => {
        const { status = 599, code = String(error) } = error as { readonly status?: number; readonly code?: string };
        admissionOf(request)?.outcome?.threw(error);
        response.statusCode = status;
        response.end(code);
      });
  });
}

async function count(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let length = 0;
  for await (const part of request) length += (part as Buffer).length;
  response.end(`${admissionOf(request)?.caller?.actor.id}: ${length}`);
}

const body = Buffer.alloc(300_000, 'abcdefg');
const forged = Buffer.concat([body.subarray(0, -1), Buffer.from('!')]);
const put = () => signed({ method: 'PUT', target: '/upload', body });

describe('a streamBody that fails', () => {
  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no such route');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no such route'))],
  ])('leaves the body held, and is reported, when it %s [G4]', async (_title, streamBody) => {
    const troubles: string[] = [];
    const parts = await guarded({ onTrouble: (trouble) => troubles.push(trouble) });
    let handled = 0;
    await using server = await streaming(
      parts,
      async (request, response) => {
        handled += 1;
        await count(request, response);
      },
      { streamBody: streamBody as () => boolean },
    );
    const refused = await send(server.url, tampered(put(), { body: forged }));
    expect(refused.status).toBe(401);
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'digest_mismatch' });
    expect(handled).toBe(0);
    for (let count = 0; count < 3; count++) expect((await send(server.url, put())).status).toBe(200);
    const trouble = 'countersign: streamBody failed, and the body is held';
    const cause = 'Error: no such route';
    expect(troubles.filter((one) => one.startsWith(trouble))).toEqual([
      `${trouble}: ${cause}`,
      `${trouble} (2 so far): ${cause}`,
      `${trouble} (4 so far): ${cause}`,
    ]);
  });
});

describe('a streamed body behind a guard', () => {
  it('reaches its handler before its end has arrived', async () => {
    const parts = await guarded();
    const begun = new Deferred();
    await using server = await streaming(parts, async (request, response) => {
      request.once('readable', begun.resolve);
      await once(request, 'readable');
      await count(request, response);
    });
    const bytes = serialized(put());
    const connection = await Connection.open(server.url);
    connection.write(bytes.subarray(0, -100));
    await begun.promise;
    connection.write(bytes.subarray(-100));
    expect(await connection.read()).toMatchObject({ status: 200, body: `${agentId}: 300000` });
    connection.destroy();
    expect(await outcomeOf(parts)).toEqual({ result: 'finished', status: 200, undecided: true });
  });

  it('fails its handler when it was changed, and the outcome names the code [A4]', async () => {
    const parts = await guarded();
    await using server = await streaming(parts, count);
    expect(await send(server.url, tampered(put(), { body: forged }))).toMatchObject({
      status: 401,
      body: 'digest_mismatch',
    });
    expect(await outcomeOf(parts)).toEqual({
      result: 'finished',
      status: 401,
      code: 'digest_mismatch',
      undecided: true,
    });
  });

  it('adds its code to the outcome when it was changed, whatever the handler answered [A4]', async () => {
    const parts = await guarded();
    await using server = await streaming(parts, async (_request, response) => void response.end('done'));
    const bytes = serialized(tampered(put(), { body: forged }));
    const connection = await Connection.open(server.url);
    connection.write(bytes.subarray(0, -100_000));
    expect(await connection.read()).toMatchObject({ status: 200, body: 'done' });
    connection.write(bytes.subarray(-100_000));
    expect(await outcomeOf(parts)).toEqual({
      result: 'finished',
      status: 200,
      code: 'digest_mismatch',
      undecided: true,
    });
    connection.destroy();
  });

  it('closes the connection when it fails before it has come whole [A4, G4]', async () => {
    const parts = await guarded({ maxBodyBytes: 200_000 });
    await using server = await streaming(parts, count);
    const [head = '', sent = ''] = serialized(signed({ method: 'PUT', target: '/upload', body }))
      .toString('latin1')
      .split('\r\n\r\n');
    const chunked = head.replace(/content-length: \d+/i, 'transfer-encoding: chunked');
    const connection = await Connection.open(server.url);
    connection.write(`${chunked}\r\n\r\n${sent.length.toString(16)}\r\n${sent}\r\n`);
    expect(await connection.read()).toMatchObject({
      status: 413,
      body: 'body_too_large',
      headers: { connection: 'close' },
    });
    connection.destroy();
  });

  it('is refused by the guard itself when the handler has no error listener [A4]', async () => {
    const parts = await guarded();
    await using server = await streaming(parts, async (request, response) => {
      request.on('data', () => {});
      request.on('end', () => response.end('whole'));
    });
    const response = await send(server.url, tampered(put(), { body: forged }));
    expect(response.status).toBe(401);
    expect(response.headers).toMatchObject({ 'content-type': 'application/problem+json' });
    expect(JSON.parse(response.body)).toMatchObject({ code: 'digest_mismatch' });
    expect(await outcomeOf(parts)).toEqual({
      result: 'finished',
      status: 401,
      code: 'digest_mismatch',
      undecided: true,
    });
  });

  it('adds body_incomplete to the outcome when the client does not end it [F5]', async () => {
    const parts = await guarded();
    const reading = new Deferred();
    await using server = await streaming(parts, async (request, response) => {
      request.once('readable', reading.resolve);
      await count(request, response);
    });
    const connection = await Connection.open(server.url);
    connection.write(serialized(put()).subarray(0, -100));
    await reading.promise;
    connection.destroy();
    expect(await outcomeOf(parts)).toMatchObject({ code: 'body_incomplete' });
  });

  it('needs a covered digest and a covered content type before the first byte is passed on [A4]', async () => {
    const parts = await guarded();
    let ran = 0;
    await using server = await streaming(parts, async () => void ran++);
    const attacks = [
      [{ digest: null }, 'digest_required'],
      [{ uncovered: ['"content-digest"'] }, 'digest_required'],
      [{ uncovered: ['"content-type"'] }, 'signature_incomplete'],
      [{ digest: 'md5=:1B2M2Y8AsgTpgAmY7PhCfg==:' }, 'digest_malformed'],
    ] as const;
    for (const [options, code] of attacks) {
      const response = await send(server.url, signed({ method: 'PUT', target: '/upload', body, ...options }));
      expect(JSON.parse(response.body)).toMatchObject({ code });
    }
    expect(ran).toBe(0);
  });

  it('is refused when its digest is only in the trailer [A5]', async () => {
    const parts = await guarded();
    await using server = await streaming(parts, count);
    const request = signed({
      method: 'PUT',
      target: '/upload',
      body,
      digest: null,
      fields: [['Transfer-Encoding', 'chunked']],
    });
    const trailer = 'Content-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:';
    const response = await send(server.url, { ...request, body: Buffer.from(`1\r\nx\r\n0\r\n${trailer}\r\n\r\n`) });
    expect(JSON.parse(response.body)).toMatchObject({ code: 'digest_required' });
  });

  it('reserves its nonce before its first byte is passed on, so that a concurrent copy is refused [A10]', async () => {
    const parts = await guarded();
    const begun = new Deferred();
    await using server = await streaming(parts, async (request, response) => {
      request.once('readable', begun.resolve);
      await count(request, response);
    });
    const request = put();
    const bytes = serialized(request);
    const connection = await Connection.open(server.url);
    connection.write(bytes.subarray(0, -100));
    await begun.promise;
    const copy = await send(server.url, request);
    expect(JSON.parse(copy.body)).toMatchObject({ code: 'signature_replayed' });
    connection.write(bytes.subarray(-100));
    expect((await connection.read()).status).toBe(200);
    connection.destroy();
  });

  it('may be absent', async () => {
    const parts = await guarded();
    await using server = await streaming(parts, count);
    expect(await send(server.url, signed({ method: 'PUT', target: '/upload' }))).toMatchObject({ status: 200 });
    expect(await outcomeOf(parts)).toEqual({ result: 'finished', status: 200, undecided: true });
  });

  it('is not read when policy denies [D14]', async () => {
    const parts = await guarded();
    await using server = await streaming(parts, async (request, response) => {
      const permission = { action: 'file.put', resource: () => ({ type: 'File', id: request.url ?? '' }) };
      const respond: Respond = (refused) => sendRefusal(response, refused);
      if (await enforcePermission(request, permission, respond)) await count(request, response);
    });
    const connection = await Connection.open(server.url);
    const denied = serialized(signed({ method: 'PUT', target: '/forbidden', body }));
    connection.write(denied);
    expect((await connection.read()).status).toBe(403);
    connection.destroy();
    expect(parts.audit.records.map(({ phase, code }) => [phase, code])).toEqual([['decision', 'policy_denied']]);
  });

  it('is held instead when streamBody does not return true', async () => {
    const parts = await guarded();
    let ran = 0;
    const never = { streamBody: (() => Promise.resolve(true)) as unknown as () => boolean };
    const handle: Handler = async () => void ran++;
    await using server = await streaming(parts, handle);
    await using held = await streaming(parts, handle, never);
    const post = tampered(signed({ method: 'POST', target: '/', body }), { body: forged });
    for (const [url, request] of [
      [server.url, post],
      [held.url, tampered(put(), { body: forged })],
    ] as const) {
      expect(JSON.parse((await send(url, request)).body)).toMatchObject({ code: 'digest_mismatch' });
    }
    expect(ran).toBe(0);
  });

  it('passes through in mixed traffic when the request is unmarked', async () => {
    const parts = await guarded({ traffic: 'mixed' });
    await using server = await streaming(parts, count);
    const request = unsigned({
      method: 'PUT',
      fields: [
        ['Host', 'api.acme.dev'],
        ['Content-Length', String(body.length)],
      ],
      body,
    });
    expect(await send(server.url, request)).toMatchObject({ status: 200, body: 'undefined: 300000' });
  });

  it('delays the closing of the log until its outcome is recorded [F5]', async () => {
    const written: string[] = [];
    const audit = {
      write: async ({ phase, outcome }: AuditEvent) => void written.push(`${phase} ${outcome?.code}`),
      close: async () => void written.push('closed'),
    };
    const { guard } = await guarded({ audit });
    const parts = { guard, audit: memoryAudit(), queries: [] };
    await using server = await streaming(parts, async (_request, response) => void response.end('done'));
    const connection = await Connection.open(server.url);
    connection.write(serialized(put()).subarray(0, -100));
    await connection.read();
    const closed = guard.close();
    connection.destroy();
    await closed;
    expect(written).toEqual(['outcome body_incomplete', 'closed']);
  });
});
