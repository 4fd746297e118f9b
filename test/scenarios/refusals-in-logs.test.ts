import type { IncomingMessage } from 'node:http';
import { Writable } from 'node:stream';
import type { RefusalCode } from '@countersign/core';
import { agentAuth } from '@countersign/express';
import express from 'express';
import { type Logger, pino } from 'pino';
import { pinoHttp } from 'pino-http';
import { expect, it } from 'vitest';
import { onEveryHost } from '../support/api.js';
import { guarded, host, send, serve, unsigned } from '../support/guarded.js';
import { reviewer, reviewerId, runner, stranger } from '../support/world.js';

/** A logger, and what it has written about refusals. */
function kept(): { readonly logger: Logger; readonly lines: () => readonly Line[]; text: string } {
  const log = {
    text: '',
    logger: pino(
      new Writable({
        write(chunk, _encoding, done) {
          log.text += String(chunk);
          done();
        },
      }),
    ),
    lines: () =>
      log.text
        .split('\n')
        .filter((line) => line.includes('"countersign":'))
        .map((line) => JSON.parse(line) as Line),
  };
  return log;
}

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly countersign: Readonly<Record<string, string>>;
}

const [info, error] = [30, 50];
const onTrouble = (): undefined => undefined;
const log = kept();

/** The one line of the last refusal. */
async function lineOf(refuse: () => Promise<unknown>): Promise<Line> {
  const before = log.lines().length;
  await refuse();
  const lines = log.lines().slice(before);
  expect(lines).toHaveLength(1);
  return lines[0] as Line;
}

function expectLine(line: Line, code: RefusalCode, level: number, fields: object): void {
  expect(line).toMatchObject({ level, msg: `countersign: refused with ${code}` });
  expect(line.countersign).toEqual({ code, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/), ...fields });
}

onEveryHost(
  'A refusal has one line in the log of the application',
  (api) => {
    const lastId = (): string | undefined => api.records.at(-1)?.request.id;

    it('with the code and the id of its record, of a stranger', async () => {
      const line = await lineOf(() =>
        api.refuses(api.signed({ key: stranger, target: '/whoami?token=s3cret' }), 401, 'key_unknown'),
      );
      expectLine(line, 'key_unknown', info, { requestId: lastId(), claimedKeyId: stranger.thumbprint });
      expect(JSON.stringify(line)).not.toMatch(/s3cret|signature"|sig=/);
    });

    it('with the owner of the key as it was claimed, where the caller is refused after that', async () => {
      const request = await api.pull({ act: { sub: 'agent-test-runner' } });
      const line = await lineOf(() => api.refuses(request, 401, 'token_not_bound_to_agent'));
      const claimed = { claimedKeyId: reviewer.thumbprint, claimedAgent: reviewerId };
      expectLine(line, 'token_not_bound_to_agent', info, { requestId: lastId(), ...claimed });
      const [, token] = /Bearer (\S+)/.exec(JSON.stringify(request.fields)) ?? [];
      expect(log.text).not.toContain(token);
    });

    it('with the agent, where policy denies', async () => {
      const line = await lineOf(async () => api.denies(await api.pull({ scope: 'repo:read' }), 403, 'policy_denied'));
      expectLine(line, 'policy_denied', info, { requestId: lastId(), agent: reviewerId });
    });

    it('with the agent, on a route that is closed to it', async () => {
      if (api.host === 'node-http') return;
      const request = api.signed({ method: 'DELETE', target: '/forgotten', key: runner });
      const line = await lineOf(() => api.closes(request, 'route_unmapped'));
      expectLine(line, 'route_unmapped', info, { requestId: lastId(), agent: 'agent-test-runner' });
    });

    it('and none is written of a request that is let in', async () => {
      const before = log.lines().length;
      await api.accepts(await api.pull(), 201);
      expect(log.lines()).toHaveLength(before);
    });

    it('on the level error, if the API is at fault and the answer says so', async () => {
      const audit = { write: () => Promise.reject(new Error('full')) };
      const failing = await api.variant({ start: { logger: log.logger, guard: { audit, onTrouble } } });
      const line = await lineOf(() => failing.send(failing.signed({ key: stranger })));
      expectLine(line, 'audit_unavailable', error, { claimedKeyId: stranger.thumbprint });
    });

    it('cut, if a stranger chooses its text [F3]', async () => {
      const request = api.signed({ key: stranger, parameters: { keyid: `"${'x'.repeat(3000)}"` } });
      const line = await lineOf(() => api.send(request));
      expect(JSON.stringify(line).length).toBeLessThan(700);
    });

    it('also if the application gets the refusal as an error', async () => {
      const throwing = await api.variant({ start: { logger: log.logger, admission: { onRefusal: 'throw' } } });
      const line = await lineOf(() => throwing.send(throwing.signed({ key: stranger })));
      expect(line.countersign).toMatchObject({ code: 'key_unknown' });
    });

    it.each<[string, () => unknown]>([
      [
        'throws',
        () => {
          throw new Error('the disk is full');
        },
      ],
      ['rejects', () => Promise.reject(new Error('the disk is full'))],
    ])('and a logger that %s changes no answer', async (_how, fail) => {
      const unlogged = await api.variant({ start: { admission: { logger: { info: fail, error: fail } } } });
      await unlogged.refuses(unlogged.signed({ key: stranger }), 401, 'key_unknown');
      await unlogged.denies(await unlogged.pull({ scope: 'repo:read' }), 403, 'policy_denied');
      await unlogged.accepts(await unlogged.pull(), 201);
    });
  },
  { start: { logger: log.logger } },
);

const genReqId = (request: IncomingMessage): string => String(request.headers['x-request-id']);

it('a line has the id that pino-http gave the request, and none of the fields that its own logger would add [F1]', async () => {
  const app = express();
  app.use(pinoHttp({ logger: log.logger, autoLogging: false, genReqId }));
  app.use(agentAuth((await guarded()).guard, { logger: log.logger }));
  await using served = await serve(app);
  const line = await lineOf(() =>
    send(
      served.url,
      unsigned({
        fields: [
          ['Host', host],
          ['X-Request-Id', 'mine\u0085\u00ad'],
        ],
      }),
    ),
  );
  expect(line).toMatchObject({ reqId: 'mine\\u0085\\u00ad', countersign: { code: 'signature_required' } });
  expect(line).not.toHaveProperty('req');
});

it.each([null, 'pino', console.info, { info: console.info }])('agentAuth refuses %s as a logger', async (logger) => {
  const { guard } = await guarded();
  expect(() => agentAuth(guard, { logger: logger as never })).toThrow(
    "'logger' must have the methods info() and error()",
  );
});
